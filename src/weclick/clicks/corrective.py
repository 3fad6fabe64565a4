"""Corrective clicks: where a person clicks next who sees a segmentation and what is wrong with it."""

from __future__ import annotations

from typing import Final

import numpy as np

from weclick.clicks.records import Click
from weclick.clicks.regions import Region, center, connected_regions
from weclick.conventions import IGNORE_INDEX

RARITY: Final = 0.3
"""How much more the regions of small classes count: 0 not at all, 1 by their share of the class."""


def corrective_click(label: np.ndarray, predicted: np.ndarray, min_area: int) -> Click | None:
    """Return a click at the centre of the most important wrong region, or None if none is as large as ``min_area``.

    A wrong region is a connected region of pixels of one class that are predicted as other classes. Its importance is its area
    divided by the area of its class in the frame to the power of ``RARITY``: a small object that was missed counts as much as a
    larger part of a large surface.

    Shape:
        ``label`` uint8 (H, W), class ids and 255, which is never wrong; ``predicted`` uint8 (H, W), class ids.

    Args:
        label: What is right.
        predicted: What the person sees.
        min_area: In pixels.

    References:
        Sofiiuk et al., Reviving Iterative Training with Mask Guidance for Interactive Segmentation, ICIP 2022: the usual protocol
        clicks at the centre of the largest wrong region, of one object.
    """
    wrong = (label != predicted) & (label != IGNORE_INDEX)
    areas = np.bincount(label.ravel(), minlength=IGNORE_INDEX + 1)
    regions = [
        region
        for class_id in np.unique(label[wrong]).tolist()
        for region in connected_regions(wrong & (label == class_id), class_id)
        if region.area >= min_area
    ]
    if not regions:
        return None

    def order(region: Region) -> tuple[float, tuple[int, int, int]]:
        return -region.area / float(areas[region.class_id]) ** RARITY, region.order

    region = min(regions, key=order)
    row, column, _ = center(region.mask)
    return Click(float(region.left + column), float(region.top + row), region.class_id)
