"""Geometric draws of training samples. The only module that imports albumentations.

A draw transforms image, label, clicks and a neighbour's image alike. It also returns its sampling grid: the memory, which
lies on the grid of the undrawn target, is transformed with it later, on the device.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise its import queries the network for a newer version

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.conventions import IGNORE_INDEX, Size
from weclick.errors import ConfigError

if A.__version__ != "2.0.8":
    raise ConfigError(
        f"albumentations {A.__version__} is installed, which has another licence or other behaviour; "
        "pip uninstall albumentations albumentationsx, then pip install albumentations==2.0.8"
    )

GRID_STRIDE = 4
"""The sampling grid has one point for each 4 x 4 pixels of the drawn image, at their centre."""


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
    """Random scale, crop and horizontal flip, determined by a seed per sample.

    Args:
        size: (H, W) of the undrawn frame.
        crop: (h, w) of the drawn frame; a frame scaled below it gets a black border, labelled ``IGNORE_INDEX``.
        scale: Smallest and largest scale.
        flip: Probability of a horizontal flip.
    """

    def __init__(self, size: Size, crop: Size, scale: tuple[float, float], flip: float) -> None:
        self._compose = A.Compose(
            [
                A.RandomScale(
                    scale_limit=(scale[0] - 1, scale[1] - 1),
                    mask_interpolation=cv2.INTER_NEAREST_EXACT,  # INTER_NEAREST rounds down, which shifts labels
                    p=1.0,
                ),
                A.RandomCrop(*crop, pad_if_needed=True, pad_position="random", fill=0, fill_mask=IGNORE_INDEX),
                A.HorizontalFlip(p=flip),
            ],
            additional_targets={"neighbour": "image"},
            save_applied_params=True,
        )
        self._size, self._crop = size, crop

    def __call__(
        self,
        image: NDArray[np.uint8],
        label: NDArray[np.uint8],
        clicks: NDArray[np.float32],
        neighbour: NDArray[np.uint8] | None = None,
        *,
        seed: int,
    ) -> Draw:
        """Draw a sample from image uint8 (H, W, 3), label uint8 (H, W), clicks (K, 3) and a neighbour like image."""
        self._compose.set_random_seed(seed)
        more = {} if neighbour is None else {"neighbour": neighbour}
        drawn = self._compose(image=image, mask=label, **more)
        scale, offset = self._point_transform(dict(drawn["applied_transforms"]))
        moved = np.concatenate([clicks[:, :2] * scale + offset, clicks[:, 2:]], 1).astype(np.float32)
        return Draw(drawn["image"], drawn["mask"], moved, self._grid(scale, offset), drawn.get("neighbour"))

    def _point_transform(self, applied: dict[str, dict[str, Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return scale and offset, both as (x, y): a point p of the frame lies at ``p * scale + offset`` in the drawn image.

        albumentations' own transform of points is off by up to a pixel. It scales about the centre of the first pixel instead of
        the corner of the image, and by the drawn scale, although the resized image has a whole number of pixels.
        """
        crop = applied["RandomCrop"]
        scale = np.divide(crop["shape"][1::-1], self._size[::-1])
        padding = crop["pad_params"] or {"pad_left": 0, "pad_top": 0}
        start = np.subtract(crop["crop_coords"][:2], (padding["pad_left"], padding["pad_top"]))
        offset = (scale - 1) / 2 - start  # pixel centres are at integers, so the image's corner is at -0.5
        if "HorizontalFlip" in applied:
            scale[0], offset[0] = -scale[0], self._crop[1] - 1 - offset[0]
        return scale, offset

    def _grid(self, scale: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return where each cell's centre lies in the frame, (x, y) in -1..1 with ``align_corners=False``."""
        rows, columns = (np.arange((GRID_STRIDE - 1) / 2, side, GRID_STRIDE) for side in self._crop)
        centres = np.stack(np.meshgrid(columns, rows), -1)
        return (((centres - offset) / scale * 2 + 1) / self._size[::-1] - 1).astype(np.float32)


def draw_discs(clicks: NDArray[np.float32], size: Size, radius: float) -> NDArray[np.uint8]:
    """Draw clicks into a label map: each click is a disc, all other pixels are ``IGNORE_INDEX``.

    Where discs overlap, a pixel takes the class of the nearest click.

    Args:
        clicks: (K, 3) as x, y, class, in pixels of the label map; clicks outside it are left out.
        size: (H, W) of the label map.
        radius: Of the discs, in pixels; 0 labels only the clicked pixel.
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
