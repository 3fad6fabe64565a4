"""Keeping of a soft label what hangs together with a click."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels

Place = tuple[int, int, int]
"""Row, column and class id of a click on the grid of a soft label."""


def connect(recall: SoftLabels, places: Sequence[Place]) -> SoftLabels:
    """Lower each class to the level at which it reaches a click of its own, in the teacher's view and in the memory.

    Every region of a class was clicked once, so a region without a click of its class is a mistake. A class's map is
    reconstructed (in the sense of morphology) from its clicks: at each pixel remains the largest level at which an
    unbroken path leads to a click of that class. Classes that were not clicked vanish; where a cut took the favourite,
    the runner-up leads, and the pixel's probabilities sum to less than 1: this sum is how much is still believed.

    Args:
        recall: Of one target, (1, C, h, w).
        places: Its clicks on that grid.

    References:
        Vincent, Morphological Grayscale Reconstruction in Image Analysis, 1993.
    """
    memory = recall.memory
    probabilities = _connected(memory.probabilities, places) * (memory.confidence > 0)
    return SoftLabels(_connected(recall.teacher, places), Memory(probabilities, memory.confidence))


def _connected(maps: Tensor, places: Sequence[Place]) -> Tensor:
    levels = maps[0].cpu().numpy().astype(np.float32)
    clicked = np.zeros_like(levels)
    for row, column, class_id in places:
        clicked[class_id, row, column] = 1
    # a click is certain; for the way from there on also where another class was clicked in the same cell
    levels = np.where(clicked.any(0), clicked, levels)
    kept = np.stack([_reconstructed(*maps) for maps in zip(levels, clicked, strict=True)])
    return torch.from_numpy(kept / np.maximum(clicked.sum(0), 1))[None].to(maps)


def _reconstructed(level: NDArray[np.float32], seeds: NDArray[np.float32]) -> NDArray[np.float32]:
    from skimage.morphology import reconstruction

    if not seeds.any():
        return seeds
    return np.asarray(reconstruction(seeds, level), np.float32)  # type: ignore[no-untyped-call]


def places_on_grid(
    clicks: Sequence[tuple[float, float, int]], source: tuple[int, int], grid: tuple[int, int]
) -> list[Place]:
    """Return where clicks (x, y, class id) on a source frame (H, W) lie on a grid (h, w) that covers it."""
    scale = (grid[0] / source[0], grid[1] / source[1])
    return [
        (min(grid[0] - 1, int((y + 0.5) * scale[0])), min(grid[1] - 1, int((x + 0.5) * scale[1])), class_id)
        for x, y, class_id in clicks
    ]
