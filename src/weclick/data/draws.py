"""Geometric draws of training samples. The only module that imports albumentations.

A draw transforms image, label, clicks and a neighbour's image alike. It also returns its sampling grid: the memory, which
lies on the grid of the undrawn target, is transformed with it later, on the device.
"""

from __future__ import annotations

import os
from math import floor
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


class Axis(NamedTuple):
    """A draw along one axis: its ``crop`` pixels begin at pixel ``start`` of a frame of ``size``, resized to ``scaled``.

    ``start`` is negative where the drawn image begins in its border.
    """

    size: int
    scaled: int
    start: int
    crop: int

    @property
    def inside(self) -> slice:
        """Pixels of the drawn image that show the frame; the others are its border."""
        return slice(max(0, -self.start), min(self.crop, self.scaled - self.start))

    @property
    def step(self) -> float:
        """Distance between neighbouring pixels of the drawn image, in pixels of the frame."""
        return self.size / self.scaled

    @property
    def first(self) -> float:
        """Position in the frame of the first pixel inside."""
        # pixel centres are at integers, so the corner of an image is at -0.5
        return (max(self.start, 0) + 0.5) * self.step - 0.5

    @property
    def shown(self) -> int:
        """Number of pixels inside."""
        return int(self.inside.stop - self.inside.start)

    @property
    def needed(self) -> tuple[int, int]:
        """First and end of the frame's pixels that those inside are interpolated from."""
        first = self.first
        if self.scaled == self.size:
            return int(first), int(first) + self.shown
        return max(0, floor(first)), min(self.size, floor(first + (self.shown - 1) * self.step) + 2)

    @property
    def nearest(self) -> NDArray[np.intp]:
        """The frame's nearest pixel to each of those inside."""
        begin = max(self.start, 0)
        # OpenCV itself rounds, so labels resized elsewhere agree. INTER_NEAREST rounds down, which shifts labels.
        column = np.arange(self.size, dtype=np.float32)[:, None]
        return cv2.resize(column, (1, self.scaled), interpolation=cv2.INTER_NEAREST_EXACT)[
            begin : begin + self.shown, 0
        ].astype(np.intp)


class Window(NamedTuple):
    """One draw: transforms a frame and all that belongs to it. Of an image only the window that it shows is resized.

    Args:
        y: The draw along the rows.
        x: The draw along the columns, before the flip.
        flip: Whether the drawn image is flipped horizontally.
    """

    y: Axis
    x: Axis
    flip: bool

    @property
    def frame(self) -> Size:
        """Size (H, W) of the undrawn frame."""
        return (self.y.size, self.x.size)

    @property
    def crop(self) -> Size:
        """Size (h, w) of what is drawn."""
        return (self.y.crop, self.x.crop)

    @property
    def rows(self) -> int:
        """Number of the frame's rows, from its top, that :meth:`image` needs."""
        return self.y.needed[1]

    def image(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Draw an image (H, W, 3), or its first :attr:`rows`; the border is black."""
        (top, bottom), (left, right) = self.y.needed, self.x.needed
        source = frame[top:bottom, left:right]
        if (self.y.scaled, self.x.scaled) != (self.y.size, self.x.size):
            # not cv2.resize, whose result would begin at a whole pixel of the frame
            to_source = [[self.x.step, 0, self.x.first - left], [0, self.y.step, self.y.first - top]]
            source = cv2.warpAffine(
                source,
                np.array(to_source),
                (self.x.shown, self.y.shown),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return self._framed(source, 0)

    def label(self, label: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw a label (H, W) by the nearest pixel; the border is ``IGNORE_INDEX``."""
        return self._framed(label[self.y.nearest][:, self.x.nearest], IGNORE_INDEX)

    def _framed(self, inside: NDArray[Any], fill: int) -> NDArray[Any]:
        framed = inside
        if inside.shape[:2] != self.crop:
            framed = np.full((*self.crop, *inside.shape[2:]), fill, inside.dtype)
            framed[self.y.inside, self.x.inside] = inside
        return np.asarray(cv2.flip(framed, 1)) if self.flip else framed

    def clicks(self, clicks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move clicks (K, 3) as x, y, class; those outside of the crop are kept."""
        scale, offset = self._point_transform()
        return np.concatenate([clicks[:, :2] * scale + offset, clicks[:, 2:]], 1).astype(np.float32)

    def grid(self) -> NDArray[np.float32]:
        """Return the sampling grid (h/4, w/4, 2): where each cell's centre lies, (x, y) in -1..1, ``align_corners=False``."""
        scale, offset = self._point_transform()
        grid = np.empty((*(len(range(0, side, GRID_STRIDE)) for side in self.crop), 2), np.float32)
        centres = [np.arange((GRID_STRIDE - 1) / 2, side, GRID_STRIDE) for side in self.crop[::-1]]
        x, y = (
            ((centre - offset[i]) / scale[i] * 2 + 1) / axis.size - 1
            for i, (centre, axis) in enumerate(zip(centres, (self.x, self.y), strict=True))
        )
        grid[..., 0], grid[..., 1] = x, y[:, None]
        return grid

    def _point_transform(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return scale and offset, both as (x, y): a point p of the frame lies at ``p * scale + offset`` in the drawn image."""
        scale = np.array([self.x.scaled / self.x.size, self.y.scaled / self.y.size])
        offset = (scale - 1) / 2 - (self.x.start, self.y.start)
        if self.flip:
            scale[0], offset[0] = -scale[0], self.x.crop - 1 - offset[0]
        return scale, offset


class GeometricDraw:
    """Random scale, crop and horizontal flip, determined by a seed per sample.

    albumentations draws the numbers. It does not transform anything: it would resize the whole frame, and moves points by up to
    a pixel too far.

    Args:
        crop: (h, w) of the drawn frame; a frame scaled below it gets a black border, labelled ``IGNORE_INDEX``.
        scale: Smallest and largest scale.
        flip: Probability of a horizontal flip.
    """

    def __init__(self, crop: Size, scale: tuple[float, float], flip: float) -> None:
        self._scale = A.RandomScale(scale_limit=(scale[0] - 1, scale[1] - 1), p=1.0)
        self._window = A.RandomCrop(*crop, pad_if_needed=True, pad_position="random")
        self._flip = A.HorizontalFlip(p=flip)
        self._crop = crop

    def window(self, seed: int, size: Size) -> Window:
        """Return the draw of a seed from a frame of a size (H, W)."""
        parts = (self._scale, self._window, self._flip)
        for number, part in enumerate(parts):
            # each from numbers of its own: with the same ones, large scales would all be cropped at the bottom, unflipped
            part.set_random_seed(len(parts) * seed + number)
        factor = self._scale.get_params()["scale"]
        height, width = (int(side * factor) for side in size)  # rounded as by albumentations
        chosen = self._window.get_params_dependent_on_data({"shape": (height, width)}, {})
        left, top = chosen["crop_coords"][:2]
        padding = chosen["pad_params"] or {"pad_left": 0, "pad_top": 0}
        return Window(
            Axis(size[0], height, top - padding["pad_top"], self._crop[0]),
            Axis(size[1], width, left - padding["pad_left"], self._crop[1]),
            self._flip.should_apply(),
        )


def draw_discs(clicks: NDArray[np.float32], size: Size, radius: float) -> NDArray[np.uint8]:
    """Draw clicks into a label map: each click is a disc, all other pixels are ``IGNORE_INDEX``.

    Where discs overlap, a pixel takes the class of the nearest click; of several at the same distance it takes any.

    Args:
        clicks: (K, 3) as x, y, class, in pixels of the label map; clicks outside it are left out.
        size: (H, W) of the label map.
        radius: Of the discs, in pixels; 0 labels only the clicked pixel.
    """
    label = np.full(size, IGNORE_INDEX, np.uint8)
    x, y = np.floor(clicks[:, 0] + 0.5).astype(int), np.floor(clicks[:, 1] + 0.5).astype(int)
    kept = (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])
    reach = np.arange(-int(radius), int(radius) + 1)
    down, along = (offset.ravel() for offset in np.meshgrid(reach, reach, indexing="ij"))
    squared = down**2 + along**2
    disc = np.argsort(-squared, kind="stable")[np.count_nonzero(squared > radius**2) :]
    rows, columns = y[kept] + down[disc, None], x[kept] + along[disc, None]
    drawn = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    # Of equal indices the last one counts: the one that is nearest to its click.
    label[rows[drawn], columns[drawn]] = np.broadcast_to(clicks[kept, 2].astype(np.uint8), rows.shape)[drawn]
    return label
