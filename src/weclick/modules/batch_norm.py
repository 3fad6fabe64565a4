"""BatchNorm over all samples of a batch that several processes share."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins import LayerSync
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed.nn import functional as collective


class BatchNormSync(LayerSync):
    """Lightning plugin that synchronises BatchNorm while a module is trained; names of weights and buffers stay the same.

    ``Trainer(sync_batchnorm=True)`` is wrong here in two ways: it drops the activation inside of timm's ``BatchNormAct2d``, and
    what it puts in place refuses to run on a CPU.

    Args:
        device: Type of the training device.
    """

    def __init__(self, device: str) -> None:
        self.device = device

    def apply(self, model: nn.Module) -> nn.Module:
        """Synchronise every BatchNorm of a model."""
        if self.device == "cuda":
            synchronised: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
            return synchronised
        for module in model.modules():
            if type(module) in _SYNCHRONISED:
                module.__class__ = _SYNCHRONISED[type(module)]
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Undo it: after training the processes part, and evaluation needs no synchronisation."""
        plain: dict[Any, Any] = {synchronised: kind for kind, synchronised in _SYNCHRONISED.items()}
        for module in model.modules():
            module.__class__ = plain.get(type(module), type(module))
        return model


class _BatchNorm(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:
        return normalised(self, input) if self.training else super().forward(input)


class _BatchNormAct(BatchNormAct2d):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)  # type: ignore[no-any-return, no-untyped-call]
        activated: Tensor = self.act(self.drop(normalised(self, x)))
        return activated


_SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {nn.BatchNorm2d: _BatchNorm, BatchNormAct2d: _BatchNormAct}


def normalised(norm: nn.BatchNorm2d, features: Tensor) -> Tensor:
    """Normalise features (B, C, h, w) by the mean and variance over all processes, and update the running ones."""
    dims = (0, 2, 3)
    values = features.float()
    count = values.new_tensor(float(values.numel() // values.shape[1]))
    sums = _summed(torch.cat([values.sum(dims), count[None]]))
    total = sums[-1].detach()
    mean = sums[:-1] / total
    centred = values - mean.view(1, -1, 1, 1)
    # a second reduction: the mean of squares less the square of the mean would cancel
    variance = _summed(centred.square().sum(dims)) / total
    _track(norm, mean.detach(), variance.detach() * total / (total - 1).clamp(min=1))
    result = centred * torch.rsqrt(variance + norm.eps).view(1, -1, 1, 1)
    if norm.affine:
        result = result * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)
    normal: Tensor = result.to(features.dtype)
    return normal


def _summed(tensor: Tensor) -> Tensor:
    """Return the sum over all processes; gradients flow back to all of them."""
    total: Tensor = collective.all_reduce(tensor)  # type: ignore[no-untyped-call]
    return total


@torch.no_grad()
def _track(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    momentum = 1.0 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, momentum)
    norm.running_var.lerp_(variance, momentum)
