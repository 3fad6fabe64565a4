"""A teacher whose predictions are averaged over several views of an image."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.memory.online import STRIDE, Teacher, soft_labels

SCALES: Final = (0.75, 1.0, 1.25)
"""Scales of the views."""


def average_views(teacher: Teacher) -> Teacher:
    """Return a teacher that averages the probabilities of another over views of each image: several scales, each also mirrored.

    Its logits are logarithms of the mean probabilities, at ``STRIDE``.
    """

    def logits(images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        # whole sizes, not a scale factor: that would cut off a fraction of a pixel, and the view would not cover the image
        sizes = [(round(height * scale), round(width * scale)) for scale in SCALES]
        views = [F.interpolate(images, size, mode="bilinear", antialias=True) for size in sizes]
        maps = [soft_labels(teacher, view) for view in views]
        maps += [soft_labels(teacher, view.flip(-1)).flip(-1) for view in views]
        grid = (math.ceil(height / STRIDE), math.ceil(width / STRIDE))
        aligned = [F.interpolate(m, size=grid, mode="bilinear", align_corners=False) for m in maps]
        return torch.stack(aligned).mean(0).clamp(min=1e-8).log()

    return logits
