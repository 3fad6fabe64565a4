"""Decoding of plain PNGs in less than half of OpenCV's time, and only down to the last row that is needed."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np

PNG_START: Final = b"\x89PNG\r\n\x1a\n"

_MODES: Final = {b"\x08\x00\x00\x00\x00": "mono", b"\x08\x02\x00\x00\x00": "rgb"}
"""The end of a PNG's header, from its bit depth to interlacing, and the name that kornia_rs has for such images."""
_MOST_PIXELS: Final = 2**30
"""Largest image that OpenCV reads."""
_DEFLATE_RATIO: Final = 1032
"""Bytes that a byte of a PNG can become at most."""


def plain_png(raw: bytes) -> tuple[str, tuple[int, int]] | None:
    """Return mode and size (H, W) of an 8-bit PNG whose pixels are used as they are stored, None for all other files."""
    mode = _MODES.get(raw[24:29]) if raw.startswith(PNG_START) else None
    if mode is None:
        return None
    position, kind = len(PNG_START), b""
    while kind != b"IEND":
        kind = raw[position + 4 : position + 8]
        if kind in (b"", b"tRNS", b"eXIf"):  # no end; transparency; an orientation, which OpenCV applies
            return None
        position += 12 + int.from_bytes(raw[position : position + 4], "big")
    size = (int.from_bytes(raw[20:24], "big"), int.from_bytes(raw[16:20], "big"))
    return (mode, size) if min(size) > 0 else None  # no pixels: OpenCV refuses it


def decode_plain_png(raw: bytes, mode: str, size: tuple[int, int], rows: int | None) -> np.ndarray | None:
    """Return the first rows of a PNG, all by default; None if it is damaged."""
    # The same pixels as OpenCV's, in less than half of the time. Imported here: most commands read no PNG.
    from kornia_rs.io import decode_image_png_u8

    height, width = size
    # A false header can name any size, and the decoder allocates it; OpenCV refuses it by its own limit.
    if height * width > min(_MOST_PIXELS, _DEFLATE_RATIO * len(raw)):
        return None
    if rows is not None and rows < height:
        # With a header of fewer rows, whose checksum is right, the decoder stops after them.
        height = rows
        header = raw[12:20] + height.to_bytes(4, "big") + raw[24:29]
        raw = raw[:12] + header + zlib.crc32(header).to_bytes(4, "big") + raw[33:]
    try:
        image: np.ndarray = decode_image_png_u8(raw, (height, width), mode)
    except Exception:
        return None
    return image[..., 0] if mode == "mono" else image
