"""Keep of a soft label what is connected to a click."""

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


def connect(labels: SoftLabels, places: Sequence[Place]) -> SoftLabels:
    """Lower each class to the level at which it reaches a click of its own, in the teacher's view and in the memory.

    Every region of a class was clicked once, so a region without a click of its class is a mistake. A class's map is
    reconstructed (in the sense of morphology) from its clicks: each pixel keeps the largest level at which an unbroken path
    leads to a click of that class. Classes that were not clicked vanish. Where the most probable class was cut the second
    leads, and the pixel's probabilities sum to less than 1: this sum is how much of the label is still believed.

    A clicked cell holds its class alone. A cell in which several classes were clicked is shared among them equally, as each
    of them covers a part of it; paths of each of these classes still start there at full height.

    Args:
        labels: Of one target, (1, C, h, w).
        places: Its clicks on that grid.

    References:
        Vincent, Morphological Grayscale Reconstruction in Image Analysis, 1993.
    """
    memory = labels.memory
    probabilities = _connected(memory.probabilities, places) * (memory.confidence > 0)
    return SoftLabels(_connected(labels.teacher, places), Memory(probabilities, memory.confidence))


def _connected(maps: Tensor, places: Sequence[Place]) -> Tensor:
    from skimage.morphology import reconstruction  # a third of a second to import

    clicked = np.zeros(maps.shape[1:], np.float32)
    for row, column, class_id in places:
        clicked[class_id, row, column] = 1
    count = clicked.sum(0)
    levels: NDArray[np.float32] = np.where(count, clicked, maps[0].cpu().numpy().astype(np.float32))
    kept = np.zeros_like(levels)
    for class_id in {place[2] for place in places}:
        kept[class_id] = reconstruction(clicked[class_id], levels[class_id])  # type: ignore[no-untyped-call]
    return torch.from_numpy(kept / count.clip(min=1))[None].to(maps)


def places_on_grid(
    clicks: Sequence[tuple[float, float, int]], source: tuple[int, int], grid: tuple[int, int]
) -> list[Place]:
    """Return where clicks (x, y, class id) on a source frame (H, W) lie on a grid (h, w) that covers it."""
    scale = (grid[0] / source[0], grid[1] / source[1])
    return [
        (min(grid[0] - 1, int((y + 0.5) * scale[0])), min(grid[1] - 1, int((x + 0.5) * scale[1])), class_id)
        for x, y, class_id in clicks
    ]
