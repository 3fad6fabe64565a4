"""Geometric draws of training samples. The only module that imports albumentations.

A draw moves image, label, clicks and a neighbour's image together, and hands out its sampling grid, so that anything
else on the undrawn target grid (the memory) can follow it later, on the device.
"""

from __future__ import annotations

import os
from typing import NamedTuple

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version otherwise

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError

if A.__version__ != "2.0.8":
    raise ConfigError(
        f"albumentations {A.__version__} is installed, whose licence or behaviour is another; "
        "pip uninstall albumentations albumentationsx, then pip install albumentations==2.0.8"
    )

GRID_STRIDE = 4
"""The sampling grid has one point per 4 x 4 pixels of the drawn image, at their centre."""


class Draw(NamedTuple):
    """A drawn sample.

    Shape:
        image uint8 (h, w, 3), label uint8 (h, w), clicks float (K, 3) as x, y, class, grid (h/4, w/4, 2), neighbour like
        image, or None.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    clicks: NDArray[np.float32]
    grid: NDArray[np.float32]
    neighbour: NDArray[np.uint8] | None = None


class GeometricDraw:
    """Random scale, crop and horizontal flip, decided by a seed per sample.

    Args:
        size: (H, W) of the undrawn frame.
        crop: (h, w) of the drawn one; frames scaled below it get a border of ``IGNORE_INDEX``.
        scale: Smallest and largest scale.
        flip: Probability of a horizontal flip.
    """

    def __init__(self, size: tuple[int, int], crop: tuple[int, int], scale: tuple[float, float], flip: float) -> None:
        self._compose = A.Compose(
            [
                A.RandomScale(scale_limit=(scale[0] - 1, scale[1] - 1), p=1.0),
                A.RandomCrop(*crop, pad_if_needed=True, pad_position="random", fill=0, fill_mask=IGNORE_INDEX),
                A.HorizontalFlip(p=flip),
            ],
            additional_targets={"places": "image", "neighbour": "image"},
        )
        # the place of each pixel, in pixels from 1: a draw's border is filled with 0
        self._places = np.stack(np.meshgrid(*(np.arange(1, side + 1, dtype=np.float32) for side in size[::-1])), -1)

    def __call__(
        self,
        image: NDArray[np.uint8],
        label: NDArray[np.uint8],
        clicks: NDArray[np.float32],
        neighbour: NDArray[np.uint8] | None = None,
        *,
        seed: int,
    ) -> Draw:
        """Draw once: image uint8 (H, W, 3), label uint8 (H, W), clicks (K, 3), neighbour like image."""
        self._compose.set_random_seed(seed)
        more = {} if neighbour is None else {"neighbour": neighbour}
        drawn = self._compose(image=image, mask=label, places=self._places, **more)
        lines = _drawn_lines(drawn["places"])
        moved = np.stack([*((clicks[:, i] - offset) / step for i, (step, offset) in enumerate(lines)), clicks[:, 2]], 1)
        grid = _cell_grid(lines, drawn["mask"].shape, self._places.shape[:2])
        return Draw(drawn["image"], drawn["mask"], moved.astype(np.float32), grid, drawn.get("neighbour"))


Line = tuple[float, float]
"""Step and offset: a drawn pixel at ``i`` shows what was at ``step * i + offset``."""


def _drawn_lines(places: NDArray[np.float32]) -> tuple[Line, Line]:
    """Return how a draw moved columns and rows, read off drawn places (h, w, 2).

    What albumentations does to keypoints differs from what it does to pixels: it scales them about the centre of the first pixel,
    by a factor that is not rounded to whole pixels.
    """
    rows, columns = np.nonzero(places[..., 0])
    # resizing repeats the outermost pixels, so they do not lie on the line
    inner = [np.unique(axis)[1:-1] for axis in (columns, rows)]
    across, down = places[rows[len(rows) // 2], inner[0], 0], places[inner[1], columns[len(columns) // 2], 1]
    lines = [np.polyfit(axis, line - 1.0, 1) for axis, line in zip(inner, (across, down), strict=True)]
    return (float(lines[0][0]), float(lines[0][1])), (float(lines[1][0]), float(lines[1][1]))


def _cell_grid(lines: tuple[Line, Line], drawn: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return x and y of each cell's centre in the undrawn frame, in -1..1 with ``align_corners=False``, (h/4, w/4, 2)."""
    axes = []
    for (step, offset), count, side in zip(lines, drawn[::-1], size[::-1], strict=True):
        centres = np.arange(count // GRID_STRIDE) * GRID_STRIDE + (GRID_STRIDE - 1) / 2
        axes.append((2 * (step * centres + offset) + 1) / side - 1)
    return np.stack(np.meshgrid(*axes), -1).astype(np.float32)


def draw_discs(clicks: NDArray[np.float32], size: tuple[int, int], radius: float) -> NDArray[np.uint8]:
    """Turn clicks into a label map: each click a disc, ``IGNORE_INDEX`` elsewhere.

    Where discs meet, a pixel belongs to the nearest click.

    Args:
        clicks: (K, 3) as x, y, class, in pixels of the label map; clicks outside it are left out.
        size: (H, W) of the label map.
        radius: In pixels; 0 marks the clicked pixel alone.
    """
    label = np.full(size, IGNORE_INDEX, np.uint8)
    x, y = np.floor(clicks[:, 0] + 0.5).astype(int), np.floor(clicks[:, 1] + 0.5).astype(int)
    inside = (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])
    x, y, ids = x[inside], y[inside], clicks[inside, 2].astype(np.uint8)
    if not len(ids):
        return label
    seeds = np.ones(size, np.uint8)
    seeds[y, x] = 0
    distance, nearest = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_PRECISE, labelType=cv2.DIST_LABEL_PIXEL
    )
    class_of = np.full(nearest.max() + 1, IGNORE_INDEX, np.uint8)
    class_of[nearest[y, x]] = ids
    near = distance <= radius
    label[near] = class_of[nearest[near]]
    return label
