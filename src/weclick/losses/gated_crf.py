"""The energy of a dense CRF within a window, as a loss: labels should change where colours change."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.losses.shared import over_processes

RADIUS = 5
SIGMA_XY = 6.0
SIGMA_RGB = 0.1


def gated_crf(
    logits: Tensor,
    images: Tensor,
    inside: Tensor | None = None,
    *,
    radius: int = RADIUS,
    sigma_xy: float = SIGMA_XY,
    sigma_rgb: float = SIGMA_RGB,
) -> Tensor:
    """Mean Potts energy of each pixel with the pixels in a window around it.

    ``1 / sum_i m_i * sum_i sum_{j != i in window} m_i m_j k_ij (1 - p_i . p_j)`` with
    ``k_ij = exp(-|xy_i - xy_j|^2 / (2 sigma_xy^2) - |rgb_i - rgb_j|^2 / (2 sigma_rgb^2))``. Each pair is computed once
    and counted twice, for either pixel.

    Args:
        logits: (B, C, h, w).
        images: RGB in 0..1, (B, 3, H, W); averaged down to h x w.
        inside: Gate m, bool or float (B, 1, h, w): 0 outside of the frame. By default 1.
        radius: Of the window, in pixels of the logits.
        sigma_xy: In pixels of the logits.
        sigma_rgb: In units of the colours.

    References:
        Obukhov et al., Gated CRF Loss for Weakly Supervised Semantic Image Segmentation, 2019.
    """
    size = (logits.shape[-2], logits.shape[-1])
    probabilities = logits.float().softmax(1)
    colours = F.adaptive_avg_pool2d(images.float(), size) / sigma_rgb
    gate = colours.new_ones(len(images), 1, *size) if inside is None else inside.to(colours.dtype)
    energy = logits.new_zeros((), dtype=torch.float32)
    for dy, dx in _half_window(radius):
        rows, columns = _overlap(dy, size[0]), _overlap(dx, size[1])
        one, two = ((..., *places) for places in zip(rows, columns, strict=True))
        near = (dy * dy + dx * dx) / (2 * sigma_xy**2)
        alike = torch.exp(-(colours[one] - colours[two]).square().sum(1, keepdim=True) / 2 - near)
        differ = 1 - (probabilities[one] * probabilities[two]).sum(1, keepdim=True)
        energy = energy + 2 * (gate[one] * gate[two] * alike * differ).sum()
    return energy / over_processes(gate.sum()).clamp(min=1)


def _half_window(radius: int) -> Iterator[tuple[int, int]]:
    """Yield one of each pair of opposite offsets (dy, dx) within the window."""
    for dy in range(radius + 1):
        for dx in range(-radius, radius + 1):
            if dy > 0 or dx > 0:
                yield dy, dx


def _overlap(offset: int, side: int) -> tuple[slice, slice]:
    """Return the pixels along an axis that have another pixel at the offset, and those other pixels."""
    count = max(0, side - abs(offset))
    first, second = max(0, -offset), max(0, offset)
    return slice(first, first + count), slice(second, second + count)
