"""Pictures of frames as a browser can show them: pixel for pixel what the training reads."""

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

_MEDIA: Final = {"JPEG": "image/jpeg", "PNG": "image/png"}
_PNG_BITS: Final = 24  # where a PNG says how many bits a channel has
_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")


Version = tuple[Path, int, int]
"""A picture's own place, without links, and what tells this version of it: time and bytes."""


class Picture(NamedTuple):
    """An encoded picture, its media type, and a tag that changes with its bytes."""

    data: bytes
    media_type: str
    etag: str


class Cache:
    """Pictures used last, up to a number of bytes in all; several threads may use it."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, Picture] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, key: Hashable, make: Callable[[], Picture]) -> Picture:
        """Return the picture under ``key``, made now if it is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        picture = make()
        with self._lock:
            if key not in self._held:
                self._held[key] = picture
                self.bytes += len(picture.data)
            while self.bytes > self._limit:
                self.bytes -= len(self._held.popitem(last=False)[1].data)
        return picture


class Pictures:
    """The pictures of one data set.

    A JPEG or PNG goes out as it lies on disk. Where browser and training might see different pictures (turned by EXIF,
    CMYK, another format than the name says), the training's is encoded anew as PNG.

    Args:
        root: The data set; a link that leads out of it is refused. Decoded videos of read-only data sets are in the
            user's cache folder, which is fine.
    """

    def __init__(self, root: Path) -> None:
        self._homes = (root.resolve(), user_cache_path("weclick").resolve())
        self._cache = Cache()

    def size(self, path: Path) -> Size:
        """Return a picture's (H, W).

        Raises:
            OutsideError: A link leads out of the data set.
            DataError: The file is missing or damaged.
        """
        return _look(*self.locate(path)).size

    def read(self, path: Path) -> Picture:
        """Return a picture.

        Raises:
            OutsideError: A link leads out of the data set.
            DataError: The file is missing or damaged.
        """
        found = self.locate(path)
        return self._cache.get(found, lambda: _load(*found))

    def locate(self, path: Path) -> Version:
        """Return where a picture is, and which version of it.

        Raises:
            OutsideError: A link leads out of the data set.
            DataError: The file is missing, or a pipe or device.
        """
        try:
            place = path.resolve(strict=True)
            found = place.stat()
        except (OSError, RuntimeError):  # a link may also lead to itself
            raise DataError(f"{path} not found; restore it or remove its frame") from None
        if not any(place.is_relative_to(home) for home in self._homes):
            raise OutsideError(f"{path} is a link that leads out of the data set; put the file itself there")
        if not stat.S_ISREG(found.st_mode):  # to read a pipe would take until somebody writes to it
            raise DataError(f"{path} is no regular file; put the picture itself there or remove its frame")
        return place, found.st_mtime_ns, found.st_size


class _Look(NamedTuple):
    media_type: str | None
    size: Size


@lru_cache(maxsize=4096)
def _look(path: Path, mtime_ns: int, count: int) -> _Look:
    """Return a picture's size, and its media type, None where it cannot go out as it is."""
    data = read_bytes(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            media_type, size = _media_type(image, data), (image.height, image.width)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        media_type, size = None, (0, 0)
    if media_type is None:
        height, width = read_image(path).shape[:2]  # which says what is wrong, if something is
        size = (height, width)
    return _Look(media_type, size)


def _media_type(image: Image.Image, data: bytes) -> str | None:
    if image.format == "PNG":
        # Pillow would decode all of it to find an orientation, and does not tell of 16 bits, which training refuses
        plain = b"eXIf" not in data and data[_PNG_BITS] <= 8
    else:
        plain = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    return _MEDIA.get(image.format or "") if plain and image.mode in _MODES else None


def _load(path: Path, mtime_ns: int, count: int) -> Picture:
    media_type = _look(path, mtime_ns, count).media_type
    tag = f"{mtime_ns:x}-{count:x}"
    if media_type is not None:
        return Picture(read_bytes(path), media_type, f'"{tag}"')
    return Picture(to_png(cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)), "image/png", f'"{tag}-png"')


def to_png(pixels: np.ndarray) -> bytes:
    """Encode pixels, uint8 (H, W, 3 or 4) in OpenCV's order of channels, quickly rather than small."""
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()
