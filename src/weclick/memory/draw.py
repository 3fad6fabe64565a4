"""Taking the memory along with the geometric draw of a training sample."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.memory.build import Recall
from weclick.memory.fuse import Memory


def follow_draw(recall: Recall, grid: Tensor) -> Recall:
    """Sample a recall from the undrawn target grid at the places a draw took its pixels from.

    Args:
        recall: Maps (B, C, h, w) covering the whole undrawn target.
        grid: Sampling grid (B, H, W, 2), (x, y) in -1..1 with ``align_corners=False``; outside that range lies the
            draw's border, about which nothing is known.

    Returns:
        Maps (B, C, H, W); confidence is 0 and probabilities are those of the nearest border in the draw's border.
    """
    inside = (grid.abs().amax(-1) <= 1).unsqueeze(1)
    teacher, probabilities = _sample(recall.teacher, grid), _sample(recall.memory.probabilities, grid)
    return Recall(teacher * inside, Memory(probabilities, _sample(recall.memory.confidence, grid) * inside))


def _sample(maps: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(maps, grid.to(maps.dtype), mode="bilinear", padding_mode="border", align_corners=False)


def known(recall: Recall) -> Tensor:
    """Where the draw lies inside the target, float (B, 1, H, W): the teacher's probabilities sum to 1 there."""
    return (recall.teacher.sum(1, keepdim=True) > 0.5).to(torch.float32)
