"""Move the borders of a stored soft label to edges of colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from weclick.conventions import Place
from weclick.memory.item import MemoryItem

BETA: Final = 0.1
"""An edge between cells weighs ``exp(-BETA * d^2)``, d their distance in CIE Lab: half at 2.6, a tenth at 4.8."""
GAMMA: Final = 0.03
"""Weight of the soft label, beside at most 4 of a cell's neighbours."""
_CLICKED: Final = 1e3
_LEAST: Final = 1e-6


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
    laplacian = _laplacian(image, (height, width))
    solver = splu((laplacian + diags_array(GAMMA + _CLICKED * (count > 0).ravel())).tocsc())
    held = _CLICKED * seeds / count.clip(min=1)

    def solve(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        soft = (levels / 255.0) ** 2
        believed = soft.sum(0)
        prior = soft / believed.clip(min=_LEAST)
        walked = solver.solve((GAMMA * prior + held).reshape(classes, -1).T).T.reshape(soft.shape)
        # walkers that stop at a cell without a soft label read nothing: the others count
        shares = walked / walked.sum(0).clip(min=_LEAST)
        return np.asarray(np.round(255 * np.sqrt((believed * shares).clip(0, 1))), np.uint8)

    return MemoryItem(solve(item.teacher), solve(item.memory), item.confidence)


def _laplacian(image: NDArray[np.uint8], size: tuple[int, int]) -> csc_array:
    """Return the Laplacian of a grid of cells, each joined with its four neighbours by similarity of colour."""
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab, index = cv2.cvtColor(small, cv2.COLOR_RGB2Lab), np.arange(size[0] * size[1]).reshape(size)
    pairs, weights = [], []
    for one, two in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        pairs.append(np.stack([index[one].ravel(), index[two].ravel()]))
        weights.append(np.exp(-BETA * np.square(lab[one] - lab[two]).sum(-1)).ravel() + _LEAST)
    (first, second), weight = np.concatenate(pairs, 1), np.concatenate(weights)
    joined = csc_array((weight, (first, second)), shape=(index.size, index.size))
    joined = joined + joined.T
    return diags_array(joined.sum(0)) - joined
