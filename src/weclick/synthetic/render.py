"""Render a synthetic world: images, labels, instances, depth, and the exact optical flow between any two frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Size
from weclick.errors import DataError
from weclick.synthetic.geometry import FRAME_RATE, Float
from weclick.synthetic.raster import flow_between, rasterise
from weclick.synthetic.scene import SKY, sample_world
from weclick.synthetic.shade import shade

MIN_SIZE, MAX_SIZE = 32, 4096
MAX_FRAMES = 100
"""Number of frames per video; after that the camera would reach the end of the street."""


@dataclass(frozen=True)
class RenderedFrame:
    """One frame with its exact labels.

    Shape:
        image: uint8 (H, W, 3), RGB. label: uint8 (H, W), Cityscapes labelIds. instances: uint16 (H, W), Cityscapes
        instanceIds (label * 1000 + number for cars and persons, else the label). depth: float32 (H, W), metres along
        the optical axis, infinite in the sky.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    depth: Float


class Flow(NamedTuple):
    """Exact optical flow, and the pixels whose point is visible in the other frame.

    ``flow`` is float32 (2, H, W), see :mod:`weclick.conventions`; it is undefined for points that are behind the camera
    in the other frame. ``visible`` is bool (H, W): the point is inside the other frame and not hidden there.
    """

    flow: Float
    visible: NDArray[np.bool_]


class SyntheticVideo:
    """A drive through one random street.

    Args:
        seed: Seed of the data set.
        index: Number of the video; every index gives a different street.
        size: Image size (H, W).

    Raises:
        DataError: A seed or index below 0, or a size out of bounds.

    Example:
        >>> video = SyntheticVideo(seed=0, index=3, size=(64, 128))
        >>> video.frame(0).image.shape
        (64, 128, 3)
        >>> video.flow(1, 0).flow.shape
        (2, 64, 128)
    """

    def __init__(self, seed: int = 0, index: int = 0, size: Size = (256, 512)) -> None:
        check_size(size)
        if seed < 0 or index < 0:
            raise DataError(f"seed and index of a synthetic video must be 0 or more, found {seed} and {index}")
        self.seed, self.index, self.size = seed, index, size
        self.world = sample_world(seed, index)

    def frame(self, number: int) -> RenderedFrame:
        """Render frame ``number``; frames are 1/17 s apart.

        Raises:
            DataError: The number is not in 0..99.
        """
        time = self._time(number)
        raster = rasterise(self.world, time, self.size)
        image = shade(self.world, raster, time, np.random.default_rng([self.seed, self.index, number]))
        table = self.world.surfaces
        with np.errstate(divide="ignore"):
            depth = np.where(raster.ids == SKY, np.float32(np.inf), 1 / raster.inverse_depth)
        index = raster.ids, raster.parts
        return RenderedFrame(image, table.labels[index], table.instances[index], depth)

    def flow(self, number: int, other: int) -> Flow:
        """Return the flow from frame ``number``, on its grid, to frame ``other``.

        Raises:
            DataError: A number is not in 0..99.
        """
        times = self._time(number), self._time(other)
        source, target = (rasterise(self.world, time, self.size) for time in times)
        return Flow(*flow_between(self.world, source, target, times[1]))

    def _time(self, number: int) -> float:
        if not 0 <= number < MAX_FRAMES:
            raise DataError(f"a synthetic video has frames 0 to {MAX_FRAMES - 1}, requested was {number}")
        return number / FRAME_RATE


def check_size(size: Size) -> None:
    """Check that images of this size can be rendered.

    Raises:
        DataError: A side is not in 32..4096.
    """
    if len(size) != 2 or not all(MIN_SIZE <= side <= MAX_SIZE for side in size):
        sides = " x ".join(str(side) for side in size)
        raise DataError(f"synthetic frames need a height and width of {MIN_SIZE} to {MAX_SIZE} pixels, found {sides}")
