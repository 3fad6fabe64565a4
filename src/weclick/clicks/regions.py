"""Connected regions of a mask, and where to click on one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np


class Region(NamedTuple):
    """A region cut out of the image: upper left corner, mask, number of pixels, class."""

    top: int
    left: int
    mask: np.ndarray
    area: int
    class_id: int

    @property
    def order(self) -> tuple[int, int, int]:
        """Class and first pixel in reading order, unique among the regions of an image."""
        return self.class_id, self.top, self.left + int(self.mask[0].argmax())


def largest(regions: Iterable[Region]) -> Region:
    """Return the region with the most pixels."""
    # the position decides between regions of equal size, so that the result is the same on every machine
    return min(regions, key=lambda region: (-region.area, region.order))


def connected_regions(mask: np.ndarray, class_id: int) -> Iterator[Region]:
    """Yield the connected regions (8 neighbours) of a bool mask (H, W), all of one class."""
    # Labelling the bounding box alone is much faster: most instances are small.
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    window = mask[top : top + height, left : left + width].astype(np.uint8)
    if not window.size:
        return
    count, ids, boxes, _ = cv2.connectedComponentsWithStats(window, connectivity=8)
    for region in range(1, count):
        x, y, w, h, area = (int(v) for v in boxes[region])
        yield Region(top + y, left + x, ids[y : y + h, x : x + w] == region, area, class_id)


def center(mask: np.ndarray) -> tuple[int, int, float]:
    """Return y, x of the pixel farthest from the region's border, and its distance to it."""
    # the padding makes the image's own border count as border
    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    # squared distances are integers; the last bit of OpenCV's depends on where the array lies in memory
    squared = np.rint(np.square(distance, dtype=np.float64))
    farthest = np.argwhere(squared == squared.max())
    pixels = np.argwhere(mask)
    # Integer arithmetic (offset from the centroid, times the area), so that equal distances are equal on every machine.
    offset = farthest * len(pixels) - pixels.sum(axis=0)
    y, x = farthest[(offset**2).sum(axis=1).argmin()]
    return int(y), int(x), float(np.sqrt(squared[y, x]))
