"""Resizing logits, which may have any stride, to the size of what they are compared with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def resized(maps: Tensor, like: Tensor) -> Tensor:
    """Return maps (B, C, h, w) as float32, resized bilinearly to the height and width of another tensor (..., H, W)."""
    maps = maps.float()  # before resizing: in half precision every interpolated value would be rounded
    if maps.shape[-2:] == like.shape[-2:]:
        return maps
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)


def sampled(maps: Tensor, pixels: Tensor, like: Tensor) -> Tensor:
    """Return :func:`resized` maps at some pixels only, float32 (N, C).

    Args:
        maps: (B, C, h, w).
        pixels: Index in the batch, row and column of each pixel in ``like``, int64 (N, 3).
        like: As in :func:`resized`.
    """
    image = pixels[:, 0]
    places = [(pixels[:, axis + 1] + 0.5) * (maps.shape[axis - 2] / like.shape[axis - 2]) - 0.5 for axis in (0, 1)]
    (top, bottom, down), (left, right, along) = (
        _between(place.clamp(min=0), side) for place, side in zip(places, maps.shape[-2:], strict=True)
    )
    cells = maps.permute(0, 2, 3, 1)
    upper = torch.lerp(cells[image, top, left].float(), cells[image, top, right].float(), along)
    lower = torch.lerp(cells[image, bottom, left].float(), cells[image, bottom, right].float(), along)
    return torch.lerp(upper, lower, down)


def _between(place: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells before and after places along an axis, and how far (N, 1) they lie from the first to the second."""
    first = place.long()
    return first, (first + 1).clamp(max=side - 1), (place - first).unsqueeze(1)
