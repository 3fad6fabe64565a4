"""Pictures of frames for the browser, with exactly the pixels that training reads."""

from __future__ import annotations

import io
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image
from platformdirs import user_cache_path

from weclick.conventions import Size
from weclick.errors import DataError, OutsideError
from weclick.images import read_bytes, read_image

CACHE_BYTES: Final = 128 << 20

_MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png"}
_PNG_BITS: Final = 24  # byte of a PNG that holds the bits per channel
_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")

Version = tuple[Path, int, int]
"""Resolved path of a picture, its modification time (ns) and its number of bytes."""


class Picture(NamedTuple):
    """An encoded picture, its media type, and its ETag."""

    data: bytes
    media_type: str
    etag: str


class Cache:
    """The most recently used pictures, up to a total number of bytes; thread-safe."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._pictures: OrderedDict[Hashable, Picture] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, key: Hashable, make: Callable[[], Picture]) -> Picture:
        """Return the picture stored under ``key``, or the result of ``make``, which is then stored."""
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key]
        picture = make()  # without the lock: decoding one picture must not delay others
        with self._lock:
            if key not in self._pictures:
                self._pictures[key] = picture
                self.bytes += len(picture.data)
            while self.bytes > self._limit:
                self.bytes -= len(self._pictures.popitem(last=False)[1].data)
        return picture


class Pictures:
    """The pictures of one data set.

    JPEG and PNG files are sent unchanged. Files that a browser might show differently from what training reads (rotated
    by EXIF, CMYK, a format that differs from the suffix) are decoded as for training and sent as PNG.

    Args:
        root: The data set; links that lead out of it are refused. Frames of a read-only data set's videos, which are in
            the user's cache folder, are allowed.
    """

    def __init__(self, root: Path) -> None:
        self._folders = (root.resolve(), user_cache_path("weclick").resolve())
        self._cache = Cache()

    def size(self, path: Path) -> Size:
        """Return a picture's (H, W).

        Raises:
            OutsideError: A link leads out of the data set.
            DataError: The file is missing or damaged.
        """
        return _info(*self.locate(path)).size

    def read(self, path: Path) -> Picture:
        """Return a picture.

        Raises:
            OutsideError: A link leads out of the data set.
            DataError: The file is missing or damaged.
        """
        version = self.locate(path)
        return self._cache.get(version, lambda: _load(*version))

    def locate(self, path: Path) -> Version:
        """Return the resolved path and the version of a picture.

        Raises:
            OutsideError: A link leads out of the data set.
            DataError: The file is missing, or is a pipe or device.
        """
        try:
            resolved = path.resolve(strict=True)
            status = resolved.stat()
        except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself
            raise DataError(f"{path} not found; restore it or remove its frame") from None
        if not any(resolved.is_relative_to(folder) for folder in self._folders):
            raise OutsideError(f"{path} is a link that leads out of the data set; put the file itself there")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe blocks until another process writes to it
            raise DataError(f"{path} is not a regular file; put the picture itself there or remove its frame")
        return resolved, status.st_mtime_ns, status.st_size


class _Info(NamedTuple):
    """A picture's size, and its media type if it can be sent unchanged."""

    media_type: str | None
    size: Size


@lru_cache(maxsize=4096)
def _info(path: Path, mtime_ns: int, count: int) -> _Info:
    # time and size are arguments so that a changed file is read again
    data = read_bytes(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            media_type, size = _media_type(image, data), (image.height, image.width)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        media_type, size = None, (0, 0)
    if media_type is None:
        height, width = read_image(path).shape[:2]  # raises a clear error if the file is damaged
        size = (height, width)
    return _Info(media_type, size)


def _media_type(image: Image.Image, data: bytes) -> str | None:
    if image.format == "PNG":
        # Pillow decodes a whole PNG to find its orientation, and does not report 16 bits, which training refuses
        plain = b"eXIf" not in data and data[_PNG_BITS] <= 8
    else:
        plain = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    return _MEDIA_TYPES.get(image.format or "") if plain and image.mode in _MODES else None


def _load(path: Path, mtime_ns: int, count: int) -> Picture:
    media_type = _info(path, mtime_ns, count).media_type
    tag = f"{mtime_ns:x}-{count:x}"
    if media_type is not None:
        return Picture(read_bytes(path), media_type, f'"{tag}"')
    return Picture(to_png(cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)), "image/png", f'"{tag}-png"')


def to_png(pixels: np.ndarray) -> bytes:
    """Encode pixels, uint8 (H, W, 3 or 4), in OpenCV's order of channels."""
    # level 1: several times faster than the default for slightly larger files
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()
