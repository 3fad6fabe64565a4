"""Bringing logits, which have any stride, to the size of what they are compared with."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def resized(maps: Tensor, like: Tensor) -> Tensor:
    """Return maps (B, C, h, w) as float32, interpolated bilinearly, at the height and width of another tensor (..., H, W)."""
    maps = maps.float()  # before, not after: half precision would round every value in between
    if maps.shape[-2:] == like.shape[-2:]:
        return maps
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)
