"""What all sources of frames share: a frame and its name, the first picture, and a usable frame rate."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np

from weclick.errors import DataError
from weclick.video import VideoReader

USUAL_FPS: Final = 25.0
"""Frame rate assumed if a source states none."""

_log = logging.getLogger(__name__)


class SourceFrame(NamedTuple):
    """One frame and the name its outputs carry: an image's stem, else the frame number in six digits."""

    name: str
    image: np.ndarray


def rgb_images(video: VideoReader) -> Iterator[np.ndarray]:
    """Yield the frames of a video that are left, RGB uint8 (H, W, 3), upright."""
    return (cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in video.frames())


def first_image(video: VideoReader) -> np.ndarray:
    """Return the first frame of a video, RGB uint8 (H, W, 3), upright.

    Raises:
        DataError: There is none.
    """
    image = next(rgb_images(video), None)
    if image is None:
        raise DataError(f"{video.name} gives no frame that can be decoded")
    return image


def usable_fps(video: VideoReader) -> float:
    """Return the frame rate that a video states; if that is of no use, the usual one, with a warning."""
    if math.isfinite(video.fps) and 0 < video.fps <= 1000:
        return video.fps
    _log.warning("%s states no usable frame rate (%g); %g FPS are assumed", video.name, video.fps, USUAL_FPS)
    return USUAL_FPS
