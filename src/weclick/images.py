"""Reading images, label maps and instance maps.

Every error names its file: a missing, empty or truncated file, or one of another type, ends in one clear line.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from weclick.conventions import IGNORE_INDEX
from weclick.errors import DataError
from weclick.png import PNG_START, decode_plain_png, plain_png

FIRST_INSTANCE: Final = 1000
"""Cityscapes instance ids are ``label id * 1000 + k``; smaller values are label ids of pixels without an instance."""

_PNG_END = b"IEND\xaeB`\x82"
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_PALETTE: Final = 3
_LOSSY: Final = ("jpeg", "tiff_jpeg", "webp")
"""Compressions inside of TIFF files, as Pillow names them."""


def read_image(path: Path) -> np.ndarray:
    """Read an 8-bit image as RGB, rotated by its EXIF orientation.

    Grey images are repeated over the three channels and an alpha channel is dropped.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        DataError: The file is missing, empty, truncated, not an image, or has more than 8 bits a channel.
    """
    return _decode_rgb(read_bytes(path), path)


class ImageFile:
    """An image file in memory; of a PNG the size is known before pixels are decoded, and decoding can stop early.

    Args:
        path: As in :func:`read_image`, which has the same errors.

    Attributes:
        size: (H, W).
    """

    def __init__(self, path: Path) -> None:
        self._path, self._raw, self._decoded = path, read_bytes(path), None
        if plain := plain_png(self._raw):
            self.size = plain[1]
        else:
            self._decoded = _decode_rgb(self._raw, path)
            self.size = (self._decoded.shape[0], self._decoded.shape[1])

    def rgb(self, rows: int | None = None) -> np.ndarray:
        """Return uint8 RGB (H, W, 3), or at least its first rows.

        Raises:
            DataError: The image is damaged, or has more than 8 bits a channel.
        """
        return _decode_rgb(self._raw, self._path, rows) if self._decoded is None else self._decoded


def _decode_rgb(raw: bytes, path: Path, rows: int | None = None) -> np.ndarray:
    image = decode(raw, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH, path, rows)
    if image.dtype != np.uint8:
        raise DataError(f"{path} has {image.dtype.itemsize * 8} bits a channel; convert it to an 8-bit RGB image")
    return image


def read_bytes(path: Path) -> bytes:
    """Read an image file without decoding it.

    Raises:
        DataError: The file is missing, empty or truncated.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} not found; restore it or remove its frame") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions and the disk") from None
    if not raw:
        raise DataError(f"{path} is empty (0 bytes); fetch it again")
    if _truncated(raw):
        raise DataError(f"{path} is truncated ({len(raw)} bytes); fetch it again")
    return raw


def first_size(paths: Iterable[Path]) -> tuple[int, int]:
    """Return (H, W) of the first image that can be read.

    Raises:
        DataError: None can be read; the message is about the first.
    """
    first_error = None
    for path in paths:
        try:
            height, width = read_image(path).shape[:2]
            return (height, width)
        except DataError as error:
            first_error = first_error or error
    raise first_error or DataError("there is no image to take the size of; check data.root, or set data.size")


def read_label(path: Path, table: Sequence[int] | np.ndarray | None) -> np.ndarray:
    """Read a label map and translate its stored values to class ids.

    Args:
        path: Single-channel 8-bit image in a format of :data:`weclick.listing.MASK_SUFFIXES`; of a palette the
            indices are read, not the colours.
        table: 256 entries from stored value to class id (255 = ignore, -1 = unknown value), see
            :meth:`weclick.data.index.Layout.label_ids`; None keeps values as they are.

    Returns:
        uint8 (H, W), class ids and ``IGNORE_INDEX``.

    Raises:
        DataError: The file cannot be read, is no 8-bit id map, or holds a value that is unknown in the table.
    """
    stored = _read_ids(path)
    if stored.ndim != 2 or stored.dtype != np.uint8:
        channels = 1 if stored.ndim == 2 else stored.shape[2]
        raise DataError(
            f"{path} holds {channels} channels of {stored.dtype}; a label map needs one 8-bit channel of class ids"
        )
    if table is None:
        return stored
    ids = np.asarray(table, np.int16)
    # OpenCV's look-up takes a third of the time of NumPy's indexing, and every mask comes through here in every epoch.
    if cv2.LUT(stored, (ids < 0).astype(np.uint8)).any():
        unknown = [value for value in np.unique(stored).tolist() if ids[value] < 0]
        raise DataError(
            f"{path} holds unknown label values {unknown}; map them to classes or to {IGNORE_INDEX} = ignore"
        )
    return np.asarray(cv2.LUT(stored, (ids & 0xFF).astype(np.uint8)))


def read_instances(path: Path) -> np.ndarray:
    """Read an instance map: 0 where there is no instance, otherwise an id per object.

    A 16-bit PNG follows Cityscapes: values below ``FIRST_INSTANCE`` are label ids and become 0. In an 8-bit PNG every
    value but 0 is an instance.

    Returns:
        int32 (H, W).

    Raises:
        DataError: The file cannot be read or has more than one channel.
    """
    stored = _read_ids(path)
    if stored.ndim != 2 or stored.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{path} is {stored.dtype} {stored.shape}; an instance map needs one channel of 8 or 16 bits")
    ids = stored.astype(np.int32)
    if stored.dtype == np.uint16:
        ids[ids < FIRST_INSTANCE] = 0
    return ids


def check_same_size(image: Sequence[int], label: Sequence[int], image_path: Path, label_path: Path) -> None:
    """Refuse a label or instance map whose size is not its image's.

    Args:
        image: Shape of the image, (H, W) first.
        label: Shape of the label or instance map.
        image_path: Path of the image, for the message.
        label_path: Path of the label, likewise.

    Raises:
        DataError: The sizes differ; the usual cause is that only one of the two was resized.
    """
    (h, w), (label_h, label_w) = image[:2], label[:2]
    if (h, w) != (label_h, label_w):
        raise DataError(
            f"{label_path} is {label_w}x{label_h} but its image {image_path} is {w}x{h}; resize one of them"
        )


def _truncated(raw: bytes) -> bool:
    # OpenCV before 5 fills the rest of a truncated JPEG with grey, without a warning. In scan data FF is always
    # escaped, so an end mark after the last scan's start is the real one, even where a thumbnail has its own.
    if raw.startswith(_JPEG_START):
        return raw.rfind(_JPEG_END) < max(raw.rfind(_JPEG_SCAN), 2)
    return raw.startswith(PNG_START) and raw.rfind(_PNG_END) < 0  # from the end, where it is


def decode(raw: bytes, flags: int, path: Path, rows: int | None = None) -> np.ndarray:
    """Decode an image as OpenCV does by these flags; of a PNG only the first rows, if a number is given.

    Raises:
        DataError: It is damaged.
    """
    plain = plain_png(raw)
    if plain is not None and (plain[0] == "rgb" or flags == cv2.IMREAD_UNCHANGED):
        image = decode_plain_png(raw, *plain, rows)
        if image is not None:
            return image
    try:
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise DataError(f"{path} is damaged or not an image; copy it again or remove its frame")
    return np.asarray(image)


def _read_ids(path: Path) -> np.ndarray:
    raw = read_bytes(path)
    if raw.startswith(_JPEG_START):
        raise DataError(f"{path} is a JPEG, which changes class ids; write the mask again, as PNG")
    bits, color = (raw[24], raw[25]) if raw.startswith(PNG_START) and len(raw) > 25 else (8, _PNG_PALETTE)
    if color == _PNG_PALETTE:
        return _stored_ids(raw, path)
    if bits < 8:
        raise DataError(f"{path} is {bits}-bit grey, whose ids would be scaled to 0..255; save it with 8 bits")
    return decode(raw, cv2.IMREAD_UNCHANGED, path)


def _stored_ids(raw: bytes, path: Path) -> np.ndarray:
    # OpenCV expands a palette to colours, which loses the class ids of masks in the format of VOC or DAVIS.
    from PIL import Image

    try:
        with Image.open(io.BytesIO(raw)) as image:
            if image.info.get("compression") in _LOSSY:
                raise DataError(f"{path} is compressed as JPEG, which changes class ids; write the mask again, as PNG")
            ids = np.array(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise DataError(f"{path} is damaged or not an image; fetch it again or remove its frame") from None
    if ids.dtype == bool:
        raise DataError(f"{path} has 1 bit per pixel; save it with 8 bits")
    return ids


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image to (H, W), averaging when it shrinks, so that thin things do not flicker."""
    if image.shape[:2] == size:
        return image
    method = cv2.INTER_AREA if image.shape[0] > size[0] else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=method).astype(np.uint8, copy=False)
