"""Frames from a video file, a folder of images or a camera.

Images are uint8 (H, W, 3) RGB. Sources start again with each iteration and hold one frame at a time; each has ``fps`` (None for
single images), ``size`` (H, W) of its first frame, upright, and ``count``, the frames to expect (None if unknown).
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np

from weclick.errors import ConfigError, DataError
from weclick.images import read_image
from weclick.listing import IMAGE_SUFFIXES, list_images
from weclick.video import VideoReader

USUAL_FPS: Final = 25.0
"""Frame rate assumed if a file or camera states none."""

_CAMERA = "camera:"
_log = logging.getLogger(__name__)


class SourceFrame(NamedTuple):
    """One frame and the name its outputs carry: an image's stem, else the frame number in six digits."""

    name: str
    image: np.ndarray


def open_source(source: str | Path) -> VideoFile | FrameFolder | Camera:
    """Open a video file, a folder of images, or ``camera:N``.

    Raises:
        ConfigError: The camera number is no number.
        DataError: It does not exist, or no frame of it can be read.
    """
    if isinstance(source, str) and source.startswith(_CAMERA):
        number = source.removeprefix(_CAMERA)
        if not number.isdecimal():
            raise ConfigError(f"camera number {number!r} is no number; write {_CAMERA}0 for the first camera")
        return Camera(int(number))
    path = Path(source)
    return FrameFolder(path) if path.is_dir() else VideoFile(path)


class VideoFile:
    """Frames of a video file, turned upright by its rotation tag.

    A file that ends early or has damaged parts yields what can be decoded; the missing frames are counted in a warning.

    Raises:
        DataError: The file is missing, empty, truncated beyond reading, no video, or has no frame.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise DataError(f"{path} not found; give a video file, a folder of images, or {_CAMERA}0")
        if path.stat().st_size == 0:
            raise DataError(f"{path} is an empty file; copy or record it again")
        self.size, self.fps, self.count = _probe(path)

    def __iter__(self) -> Iterator[SourceFrame]:
        decoded = 0
        with closing(VideoReader(self.path)) as video:
            for image in _images(video):
                yield SourceFrame(f"{decoded:06d}", image)
                decoded += 1
        if decoded < (expected := video.expected()):
            _log.warning(
                "%s: %d of %d frames could be decoded; the file is damaged or cut off", self.path, decoded, expected
            )


class FrameFolder:
    """Images directly in a folder, in natural order (``2.jpg`` before ``10.jpg``).

    Unreadable images are skipped and counted in a warning.

    Raises:
        DataError: There is no image, none can be read, or two share a name but for the suffix.
    """

    fps: float | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._images = sorted(list_images(path).values(), key=lambda p: _natural(p.name))
        if not self._images:
            raise DataError(f"{path} holds no image ({', '.join(IMAGE_SUFFIXES)}); give a folder of frames")
        self.size = self._first_size()
        self.count: int | None = len(self._images)

    def __iter__(self) -> Iterator[SourceFrame]:
        skipped = []
        for path in self._images:
            try:
                image = read_image(path)
            except DataError:
                skipped.append(path.name)
            else:
                yield SourceFrame(path.stem, image)
        if skipped:
            names = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
            _log.warning("%s: %d of %d images are unreadable: %s", self.path, len(skipped), len(self._images), names)

    def _first_size(self) -> tuple[int, int]:
        reasons = []
        for path in self._images:
            try:
                height, width = read_image(path).shape[:2]
            except DataError as error:
                reasons.append(str(error))
            else:
                return height, width
        raise DataError(f"none of the {len(reasons)} images in {self.path} can be read; the first: {reasons[0]}")


class Camera:
    """Frames of a camera until the caller stops.

    Raises:
        DataError: The camera cannot be opened or gives no picture.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.size, self.fps, self.count = *_probe(number)[:2], None

    def __iter__(self) -> Iterator[SourceFrame]:
        with closing(VideoReader(self.number)) as camera:
            for number, image in enumerate(_images(camera)):
                yield SourceFrame(f"{number:06d}", image)
        _log.warning("camera %d gives no more pictures", self.number)


def _images(video: VideoReader) -> Iterator[np.ndarray]:
    return (cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in video.frames())


def _probe(source: Path | int) -> tuple[tuple[int, int], float, int | None]:
    origin = source if isinstance(source, Path) else f"camera {source}"
    with closing(VideoReader(source)) as video:
        # size of the first frame, not the container's: rotation swaps the sides
        image = next(_images(video), None)
    if image is None:
        raise DataError(f"{origin} gives no frame that can be decoded")
    fps = video.fps
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        _log.warning("%s states no usable frame rate (%g); %g FPS are assumed", origin, fps, USUAL_FPS)
        fps = USUAL_FPS
    return image.shape[:2], fps, video.announced or None


def _natural(name: str) -> list[str | int]:
    # split() with a group alternates text and digits, so equal positions compare equal types
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]
