"""Resizing logits, which may have any stride, to the size of what they are compared with."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def resized(maps: Tensor, like: Tensor) -> Tensor:
    """Return maps (B, C, h, w) as float32, resized bilinearly to the height and width of another tensor (..., H, W)."""
    maps = maps.float()  # before resizing: in half precision every interpolated value would be rounded
    if maps.shape[-2:] == like.shape[-2:]:
        return maps
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)
