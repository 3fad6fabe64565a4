"""A teacher that looks at a frame more than once."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.memory.online import STRIDE, Teacher, soft_labels

SCALES: Final = (0.75, 1.0, 1.25)
"""Of the images it looks at."""


def average_views(teacher: Teacher) -> Teacher:
    """Return a teacher that looks at each image at several scales and mirrored, and averages what it sees.

    Its logits are logarithms of the mean probabilities, at the finest stride of the views.
    """

    def logits(images: Tensor) -> Tensor:
        size = images.shape[-2:]
        views = [F.interpolate(images, scale_factor=s, mode="bilinear", antialias=True) for s in SCALES]
        seen = [soft_labels(teacher, view) for view in views]
        seen += [soft_labels(teacher, view.flip(-1)).flip(-1) for view in views]
        grid = (math.ceil(size[0] / STRIDE), math.ceil(size[1] / STRIDE))
        same = [F.interpolate(maps, size=grid, mode="bilinear", align_corners=False) for maps in seen]
        return torch.stack(same).mean(0).clamp(min=1e-8).log()

    return logits
