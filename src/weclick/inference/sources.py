"""Frames from a video file, a folder of images, a camera or a stream.

Images are uint8 (H, W, 3) RGB. Sources hold one frame at a time, and all that is not live starts again with each iteration; each
has ``fps`` (None for single images), ``size`` (H, W) of its first frame, upright, and ``count``, the frames to expect (None if
unknown).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from glob import glob, has_magic
from pathlib import Path
from typing import Final

from weclick.errors import ConfigError, DataError
from weclick.images import read_image
from weclick.inference.frames import SourceFrame, first_image, rgb_images, usable_fps
from weclick.inference.live import LiveSource
from weclick.listing import IMAGE_SUFFIXES, has_images, list_images
from weclick.video import VIDEO_SUFFIXES, Address, VideoReader

_CAMERA: Final = "camera:"
_log = logging.getLogger(__name__)


def open_source(source: str | Path) -> VideoFile | FrameFolder | LiveSource:
    """Open a video file, a folder of images, ``camera:N``, or an address: of a stream, or of a video file on a web server.

    What states its number of frames is a file, which ends; everything else at an address is live.

    Raises:
        ConfigError: The camera number is no number, or the address of a kind that is not read.
        DataError: It does not exist, or no frame of it can be read.
    """
    if isinstance(source, str) and source.startswith(_CAMERA):
        number = source.removeprefix(_CAMERA)
        if not number.isdecimal():
            raise ConfigError(f"camera number {number!r} is no number; write {_CAMERA}0 for the first camera")
        return LiveSource(int(number))
    if isinstance(source, str) and "://" in source:
        address = Address(source)
        live = LiveSource(address)
        return VideoFile(address) if live.announced else live
    path = Path(source)
    return FrameFolder(path) if path.is_dir() else VideoFile(path)


def several_videos(source: str) -> dict[str, Path] | None:
    """Return the video files of a folder of videos, or of a pattern such as ``videos/*.mp4``, by name; None for another source.

    A name is that of the file without its suffix, unless several share it.

    Raises:
        ConfigError: The source is empty.
        DataError: No file matches the pattern.
    """
    if not source:
        raise ConfigError("--source is empty; name a video, a folder, a camera or an address")
    path = Path(source)
    if path.is_dir() and not has_images(path):
        files = list(list_images(path, VIDEO_SUFFIXES).values())
    elif "://" not in source and has_magic(source) and not path.exists():
        files = [found for found in map(Path, sorted(glob(source, recursive=True))) if found.is_file()]  # noqa: PTH207 - it may be absolute
        if not files:
            raise DataError(f"no file matches {source}; give video files, or a folder of them")
    else:
        return None
    stems = Counter(file.stem for file in files)
    named = {file.stem if stems[file.stem] == 1 else file.as_posix().replace("/", "-"): file for file in files}
    return named or None


class VideoFile:
    """Frames of a video file, turned upright by its rotation tag.

    A file that ends early or has damaged parts yields what can be decoded; the missing frames are counted in a warning.

    Args:
        path: The file, or its address on a web server.

    Raises:
        DataError: The file is missing, empty, truncated beyond reading, no video, or has no frame.
    """

    def __init__(self, path: Path | Address) -> None:
        self.path = path
        if isinstance(path, Path):
            _check_file(path)
        with closing(VideoReader(path)) as video:
            # size of the first frame, not the container's: rotation swaps the sides
            height, width = first_image(video).shape[:2]
        self.size, self.fps, self.count = (height, width), usable_fps(video), video.announced or None

    def __iter__(self) -> Iterator[SourceFrame]:
        decoded = 0
        with closing(VideoReader(self.path)) as video:
            for image in rgb_images(video):
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
            raise DataError(
                f"{path} holds no image ({', '.join(IMAGE_SUFFIXES)}) and no video; give a folder of frames or videos"
            )
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


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(
            f"{path} not found; give a video file, a folder of images, {_CAMERA}0, or an address: rtsp://..."
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is an empty file; copy or record it again")


def _natural(name: str) -> list[str | int]:
    # split() with a group alternates text and digits, so equal positions compare equal types
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]
