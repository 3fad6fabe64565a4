"""Learning to predict the same for a surface in two frames: the temporal loss of ETC."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from weclick.errors import ShapeError
from weclick.losses.shared import over_processes

SIGMA: Final = (0.229, 0.224, 0.225)
"""Scale of the brightness error per channel: ImageNet's standard deviation, as in the authors' code."""


def temporal_loss(probabilities: Tensor, warped: Tensor, visible: Tensor) -> Tensor:
    """Mean over targets, classes and pixels of ``(V * Z_t - V * warp(Z_s))^2``.

    The authors' code compares logits; softmax outputs, as here, are bounded, and so are the loss and its gradient.

    Args:
        probabilities: Z_t, predicted on the targets, (B, C, h, w).
        warped: warp(Z_s), predicted on the neighbours and warped to the targets, (B, C, h, w).
        visible: V in 0..1, (B, 1, h, w), see :func:`visibility`; 0 where the neighbour shows nothing of the target.

    Returns:
        A scalar; 0 (with zero gradient) if there is no target or nothing is visible.

    Raises:
        ShapeError: Batches, class counts or sizes differ.

    Example:
        >>> sure, unsure = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).view(2, 1, 2, 1, 1)
        >>> temporal_loss(sure, unsure, torch.ones(1, 1, 1, 1)).item()
        0.25

    References:
        Liu et al., Efficient Semantic Video Segmentation with Per-frame Inference, ECCV 2020.
    """
    batch, _, height, width = probabilities.shape
    if probabilities.shape != warped.shape or visible.shape != (batch, 1, height, width):
        shapes = [tuple(t.shape) for t in (probabilities, warped, visible)]
        raise ShapeError(f"probabilities {shapes[0]}, warped {shapes[1]} and visible {shapes[2]} do not fit together")
    squares = (visible * (probabilities.float() - warped.float())).square()
    return squares.sum() / over_processes(squares.new_tensor(float(squares.numel()))).clamp(min=1)


def visibility(images: Tensor, warped: Tensor) -> Tensor:
    """Return ``exp(-|brightness error|)``: 1 where the warped neighbour looks like the target, near 0 where it does not.

    The error is ``sum over channels of (x_t - warp(x_s)) / SIGMA``.

    Shape:
        RGB images in 0..1, targets and warped neighbours (B, 3, H, W), to (B, 1, H, W).

    References:
        Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018.
    """
    sigma = images.new_tensor(SIGMA).view(1, 3, 1, 1)
    return torch.exp(-((images - warped) / sigma).sum(1, keepdim=True).abs())
