"""Applying the geometric draw of a training sample to its soft labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels


def follow_draw(labels: SoftLabels, grid: Tensor) -> SoftLabels:
    """Sample soft labels on the undrawn target grid at the places from which a draw took its pixels.

    Args:
        labels: Maps (B, C, h, w) covering the whole undrawn target.
        grid: Sampling grid (B, H, W, 2), (x, y) in -1..1 with ``align_corners=False``; outside of that range lies
            the draw's border.

    Returns:
        Maps (B, C, H, W). In the draw's border the teacher's probabilities and the confidence are 0, and the memory's
        probabilities are those of the nearest pixel of the frame.
    """
    inside = inside_frame(grid)
    teacher, probabilities = _sample(labels.teacher, grid), _sample(labels.memory.probabilities, grid)
    return SoftLabels(teacher * inside, Memory(probabilities, _sample(labels.memory.confidence, grid) * inside))


def inside_frame(grid: Tensor) -> Tensor:
    """Return where a draw's sampling grid (B, H, W, 2) lies inside the undrawn frame, bool (B, 1, H, W)."""
    return (grid.abs().amax(-1) <= 1).unsqueeze(1)


def _sample(maps: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(maps, grid.to(maps.dtype), mode="bilinear", padding_mode="border", align_corners=False)
