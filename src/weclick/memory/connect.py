"""Keep of a stored soft label what is connected to a click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Place
from weclick.memory.item import MemoryItem

_STEPS: Final = 8
"""Dilations between two checks of which maps still change; a check costs about as much as one."""


def connect(item: MemoryItem, places: Sequence[Place]) -> MemoryItem:
    """Lower each class to the level at which it reaches a click of its own, in the teacher's view and in the memory.

    Every region of a class was clicked once, so a region without a click of its class is a mistake. A class's map is
    reconstructed (in the sense of morphology) from its clicks: each pixel keeps the largest level at which an unbroken path
    leads to a click of that class. Classes that were not clicked vanish. Where the most probable class was cut the second
    leads, and the pixel's probabilities sum to less than 1: this sum is how much of the label is still believed.

    A clicked cell holds its class alone. A cell in which several classes were clicked is shared among them equally, as each
    of them covers a part of it; paths of each of these classes still start there at full height.

    Args:
        item: Of one target. Quantising only rounds levels and keeps their order, so the result is that of connecting the
            exact soft labels and quantising them afterwards.
        places: Its clicks on that grid.

    References:
        Vincent, Morphological Grayscale Reconstruction in Image Analysis, 1993.
    """
    classes = sorted({class_id for _, _, class_id in places})
    clicked = np.zeros((len(classes), *item.teacher.shape[1:]), np.uint8)
    for row, column, class_id in places:
        clicked[classes.index(class_id), row, column] = 255
    count = (clicked > 0).sum(0)
    seeds = np.concatenate((clicked, clicked))
    kept = _reconstructed(seeds, np.where(count, seeds, np.concatenate((item.teacher[classes], item.memory[classes]))))
    # a share of 1/count, on the square-root scale of the store
    kept = np.where((count > 1) & (kept > 0), np.round(255 / np.sqrt(count.clip(min=1))), kept)
    teacher, memory = np.zeros_like(item.teacher), np.zeros_like(item.memory)
    teacher[classes], memory[classes] = kept[: len(classes)], kept[len(classes) :] * item.memory.any(0)
    return MemoryItem(teacher, memory, item.confidence)


def _reconstructed(seeds: NDArray[np.uint8], levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the reconstruction of maps of levels (K, h, w) from seeds, none of which is above its level.

    The seeds are dilated below the levels until nothing changes. The number of steps is the length of the longest path, but
    a step takes OpenCV microseconds; sorting the levels takes several times as long in all.
    """
    # a row of zeros below each map keeps one from flowing into the next, so that all are one image to OpenCV
    rows = ((0, 0), (0, 1), (0, 0))
    kept, levels = np.pad(seeds, rows), np.pad(levels, rows)
    active = np.arange(len(kept))
    while len(active):
        now, bounds = kept[active].reshape(-1, kept.shape[2]), levels[active].reshape(-1, kept.shape[2])
        for _ in range(_STEPS):
            before, now = now, _dilated(now, bounds)
        kept[active] = now.reshape(len(active), *kept.shape[1:])
        active = active[(now != before).reshape(len(active), -1).any(1)]
    return kept[:, :-1]


def _dilated(maps: NDArray[np.uint8], bounds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grown = cv2.dilate(maps, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    return np.asarray(cv2.min(grown, bounds))
