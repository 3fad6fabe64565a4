"""Move the borders of a stored soft label to edges of colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags_array
from scipy.sparse.linalg import splu

from weclick.conventions import Place
from weclick.memory.item import MemoryItem
from weclick.probe.walker import CLICKED, GAMMA, LEAST, grid_laplacian


def refine(item: MemoryItem, image: NDArray[np.uint8], places: Sequence[Place]) -> MemoryItem:
    """Smooth each class within surfaces of one colour, by a random walker whose prior is the soft label.

    A walker begins at a cell, steps to a neighbouring cell with a probability that falls with the difference of their colours,
    and stops at a click, or at any cell with a probability proportional to ``GAMMA``; there it reads the soft label. The result
    is the mean of what it reads: ``(L + GAMMA I) x = GAMMA p``, with L the Laplacian of the grid of cells and clicked cells
    held at their class; it is then scaled to the cell's own sum of probabilities.

    Args:
        item: Of one target. Each cell keeps its sum of probabilities, its weight in the losses; where it is 0 it stays 0.
        image: The target, RGB (H, W, 3), of any size.
        places: Its clicks on the item's grid.

    References:
        Grady, Multilabel Random Walker Image Segmentation Using Prior Models, CVPR 2005.
    """
    classes, height, width = item.teacher.shape
    seeds = np.zeros((classes, height, width))
    for row, column, class_id in places:
        seeds[class_id, row, column] = 1
    count = seeds.sum(0)
    laplacian = grid_laplacian(image, (height, width))
    solver = splu((laplacian + diags_array(GAMMA + CLICKED * (count > 0).ravel())).tocsc())
    held = CLICKED * seeds / count.clip(min=1)

    def solve(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        soft = (levels / 255.0) ** 2
        believed = soft.sum(0)
        prior = soft / believed.clip(min=LEAST)
        walked = solver.solve((GAMMA * prior + held).reshape(classes, -1).T).T.reshape(soft.shape)
        # walkers that stop at a cell without a soft label read nothing: the others count
        shares = walked / walked.sum(0).clip(min=LEAST)
        return np.asarray(np.round(255 * np.sqrt((believed * shares).clip(0, 1))), np.uint8)

    return MemoryItem(solve(item.teacher), solve(item.memory), item.confidence)
