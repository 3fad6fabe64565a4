"""BatchNorm over all samples of a batch that several processes share."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins import LayerSync
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, distributed, nn


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
    mean, variance, count = _statistics(features)
    _track(norm, mean, variance * count / (count - 1).clamp(min=1))
    weight = torch.ones_like(mean) if norm.weight is None else norm.weight
    bias = torch.zeros_like(mean) if norm.bias is None else norm.bias
    normal: Tensor = _Normalise.apply(features, weight, bias, mean, variance, count, norm.eps)
    return normal


@torch.no_grad()
def _statistics(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance and number of the features of each channel over all processes, (C,) each."""
    # BatchNorm's own kernel, five times as fast as var_mean
    mean, variance = torch.batch_norm_update_stats(features.float(), None, None, 0.0)
    own = torch.stack((mean, variance, torch.full_like(mean, features.numel() / features.shape[1])))
    gathered = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(gathered, own)
    means, variances, counts = torch.stack(gathered, 1)
    count = counts.sum(0)
    mean = (means * counts).sum(0) / count
    # not the mean of squares less the square of the mean, which would cancel
    return mean, ((variances + (means - mean).square()) * counts).sum(0) / count, count


class _Normalise(torch.autograd.Function):
    """Normalisation by given statistics whose gradient counts that these depend on the features of all processes.

    It is made of PyTorch's own kernels for fixed statistics, and one exchange in each direction: operation by operation it would
    take longer than half of the network saves.

    References:
        Ioffe, Szegedy: Batch normalization, ICML 2015, section 3.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(features, weight, mean, variance, count)
        ctx.eps = eps
        normal: Tensor = torch.native_batch_norm(features, weight, bias, mean, variance, False, 0.0, eps)[0]
        return normal

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        features, weight, mean, variance, count = ctx.saved_tensors
        direct, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, features, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack((to_weight, to_bias))
        distributed.all_reduce(sums)
        # through mean and variance: -weight / (deviation * count) * (sums[1] + sums[0] * normalised features)
        deviation = torch.rsqrt(variance + ctx.eps)
        share = weight * deviation / count
        slope = -share * sums[0] * deviation
        offset = -share * sums[1] - slope * mean
        through = [term.to(direct.dtype).view(1, -1, 1, 1) for term in (slope, offset)]
        return direct.addcmul_(features, through[0]).add_(through[1]), to_weight, to_bias, None, None, None, None


@torch.no_grad()
def _track(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    momentum = 1.0 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, momentum)
    norm.running_var.lerp_(variance, momentum)
