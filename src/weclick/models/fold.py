"""Fewer operations for a network that is used as it is and no longer trained."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


@torch.no_grad()
def fold_normalisation(network: nn.Module) -> nn.Module:
    """Return a copy of a network with each batch normalisation folded into the weights of the convolution before it.

    Its logits are the same but for rounding, and on a CPU it takes about a sixth less time. Which convolution comes before
    a normalisation is observed on a random image. A network whose logits change by this, as a convolution's result is used
    in two places, is returned as it is.

    Args:
        network: RGB images (B, 3, H, W) in 0..1 to logits, on any device, in evaluation mode.
    """
    device = next(network.parameters()).device
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)).to(device)
    folded = copy.deepcopy(network)
    for convolution, name in _pairs(folded, images):
        normalisation: Any = folded.get_submodule(name)
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            normalisation.running_mean,
            normalisation.running_var,
            normalisation.eps,
            normalisation.weight,
            normalisation.bias,
        )
        # timm's normalisations hold the activation that follows
        folded.set_submodule(name, getattr(normalisation, "act", nn.Identity()))
    expected = network(images)
    close = torch.allclose(folded(images), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    return folded.requires_grad_(False) if close else network


def _pairs(network: nn.Module, images: Tensor) -> list[tuple[nn.Conv2d, str]]:
    """Return convolutions and the names of the normalisations of their results, each of which runs once."""
    names = {module: name for name, module in network.named_modules()}
    results: list[tuple[Tensor, nn.Conv2d]] = []
    pairs: list[tuple[nn.Conv2d, nn.Module]] = []

    def note_result(module: nn.Module, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
        if isinstance(module, nn.Conv2d):
            results.append((output, module))

    def note_pair(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            pairs.extend((convolution, module) for result, convolution in results if result is inputs[0])

    hooks = [module.register_forward_hook(note_result) for module in names]
    hooks += [module.register_forward_pre_hook(note_pair) for module in names]
    network(images)
    for hook in hooks:
        hook.remove()
    ran = [module for _, module in results]
    normalised = [module for _, module in pairs]
    return [
        (first, names[second]) for first, second in pairs if ran.count(first) == 1 and normalised.count(second) == 1
    ]
