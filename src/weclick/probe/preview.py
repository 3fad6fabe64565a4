"""The preview: what the probe and a frame's clicks say about the frame."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from weclick.conventions import IGNORE_INDEX, Size, places_on_grid
from weclick.probe.features import Features
from weclick.probe.linear import LinearProbe
from weclick.probe.walker import RandomWalker

Point = tuple[float, float, int]
"""x, y and class id of a click, in pixels of the frame; ``IGNORE_INDEX`` for what belongs to no class."""

STRIDE: Final = 4
"""Pixels of the frame per cell of the walker's grid."""
LONGEST: Final = 320
"""Cells along the longer side of the grid at most."""


class SoftPreview(NamedTuple):
    """A segmentation with confidence.

    Shape:
        ids: uint8 (H, W), class ids or ``IGNORE_INDEX`` at the frame's size; confidence: uint8 (h, w), the probability of that in
        each cell of the walker's grid, 255 for 1.
    """

    ids: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


class Preview:
    """Segments one frame again after every click.

    Args:
        image: The frame, RGB (H, W, 3).
        features: Its features.
    """

    def __init__(self, image: NDArray[np.uint8], features: Features) -> None:
        self.features, self.size = features, grid_size(features.source)
        self._walker = RandomWalker(image, self.size)
        self._walked: NDArray[np.float32] | None = None

    def update(self, probe: LinearProbe, clicks: Sequence[Point], absent: Collection[int] = ()) -> SoftPreview:
        """Return the segmentation by a probe that is adapted to the frame's clicks, smoothed by a random walker.

        Clicks on unknown make one more class of this frame alone, which becomes ``IGNORE_INDEX``.

        Args:
            probe: Fitted to the clicks of all frames.
            clicks: Of this frame.
            absent: Classes that are known not to be in the frame.
        """
        unknown = len(probe.parameters)
        if any(class_id == IGNORE_INDEX for *_, class_id in clicks):
            probe = probe.with_class()
        places = [(x, y, min(class_id, unknown)) for x, y, class_id in clicks]
        points = self.features.at([(x, y) for x, y, _ in places])
        adapted = probe.adapted(points, torch.tensor([class_id for *_, class_id in places], dtype=torch.int64))
        prior = adapted.probabilities(self.features, self.size)
        if absent:
            prior[list(absent)] = 0
            prior /= prior.sum(0).clip(min=np.finfo(np.float32).tiny)
        start = self._walked if self._walked is not None and self._walked.shape == prior.shape else None
        self._walked = self._walker.walk(prior, places_on_grid(places, self.features.source, self.size), start)
        shown = _segmentation(self._walked, self.features.source)
        shown.ids[shown.ids == unknown] = IGNORE_INDEX
        for click in clicks:  # where a cell's neighbours outvote it
            column, row = (int(value + 0.5) for value in click[:2])
            shown.ids[row, column] = click[2]
        return shown


def grid_size(source: Size) -> Size:
    """Return the size (h, w) of the grid of cells that a preview of a frame is computed on."""
    stride = max(STRIDE, max(source) / LONGEST)
    return max(1, round(source[0] / stride)), max(1, round(source[1] / stride))


def _segmentation(probabilities: NDArray[np.float32], source: Size) -> SoftPreview:
    """Choose each pixel's class from bilinearly enlarged probabilities."""
    ids, highest = np.zeros(source, np.uint8), np.full(source, -1, np.float32)
    for class_id, own in enumerate(probabilities):  # one by one: at full size, many classes would take gigabytes
        enlarged = cv2.resize(own, source[::-1], interpolation=cv2.INTER_LINEAR)
        ids[enlarged > highest] = class_id
        np.maximum(highest, enlarged, out=highest)
    return SoftPreview(ids, np.round(255 * probabilities.max(0)).astype(np.uint8))
