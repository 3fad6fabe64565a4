"""Reading a video file, a stream or a camera in order, and the number of frames that a whole file gives.

The number that OpenCV announces is not enough to tell a whole file from one that was cut off: an edit list (a trim without
re-encoding) hides some of the frames that an MP4 file counts, and other containers state a duration only, from which no count
follows if the frame rate varies.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2

from weclick.errors import ConfigError, DataError

# decoders print on stderr by themselves; our own messages name the file and what to do
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".avi", ".divx", ".mkv", ".webm", ".mxf", ".mpg", ".mpeg", ".mpe"),
    *(".m2v", ".vob", ".ts", ".mts", ".m2ts", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".dv"),
)
"""Video files in the folder of a data set, whatever the case of the suffix."""

SCHEMES: Final = ("rtsp", "rtsps", "http", "https")
"""Kinds of addresses that are read."""

_SECONDS_TO_OPEN: Final = 5
_SECONDS_TO_READ: Final = 10
"""A stream that gives nothing for so long is lost."""

_END: Final = 0.98
"""Share of the stated duration after which the last frame may end: durations are rounded, and sound may last longer."""

_MAX_INDEX: Final = 64 << 20
"""Largest index of an MP4 file that is read, in bytes; the index of hours of video is smaller."""


@dataclass(frozen=True)
class Address:
    """The address of a stream, or of a file on a web server.

    Its text is scheme, host and port: user, password, path and query may be secret, and are never printed.

    Raises:
        ConfigError: It is of another kind than ``SCHEMES``.
    """

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.url.partition("://")[0].lower() not in SCHEMES:
            raise ConfigError(f"addresses such as {self} are not read; give one of {', '.join(SCHEMES)}://...")

    def __str__(self) -> str:
        """Return the address without what may be secret."""
        scheme, _, rest = self.url.partition("://")
        # the last @ of all: a password may hold any sign
        return f"{scheme}://{re.split('[/?#]', rest.rpartition('@')[2])[0]}"


class VideoReader:
    """An opened video file, stream or camera, read once.

    Args:
        source: The file, the address of a stream, or the number of a camera.

    Attributes:
        name: What messages call it.
        fps: Frames per second as stated; 0 where none are.
        announced: Number of frames that OpenCV announces; 0 where it does not know.
        time: Time stamp of the last frame that was read, in seconds.

    Raises:
        DataError: It cannot be opened.
    """

    def __init__(self, source: Path | Address | int) -> None:
        self.source, self._decoded, self.time = source, 0, 0.0
        self.name = f"camera {source}" if isinstance(source, int) else str(source)
        self._capture, remedy = _open(source)
        if not self._capture.isOpened():
            raise DataError(f"{self.name} cannot be opened{remedy}")
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.announced = max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def frames(self) -> Iterator[Any]:
        """Yield the frames in order, BGR uint8 (H, W, 3), turned upright by the rotation tag."""
        while (read := self._capture.read())[0]:
            self._decoded += 1
            self.time = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield read[1]

    def expected(self) -> int:
        """Return the number of frames that the file should have given, once its last one was read; 0 where unknown."""
        shown = _shown_share(self.source) if isinstance(self.source, Path) else None
        if shown is not None:
            return round(self.announced * shown)
        ended = self.time * self.fps + 1  # in frames of the stated rate
        return self._decoded if self._decoded and ended >= _END * self.announced else self.announced

    def close(self) -> None:
        """Release the file or camera."""
        self._capture.release()


def _open(source: Path | Address | int) -> tuple[cv2.VideoCapture, str]:
    """Return what OpenCV opened, or failed to, and how to go on if it failed."""
    if isinstance(source, int):
        return cv2.VideoCapture(source), "; check that it is plugged in and not in use"
    # one backend: others read "%" as a numbered sequence
    if isinstance(source, Path):
        # absolute: "a:b.mp4" would be taken for a protocol
        capture = cv2.VideoCapture(str(source.absolute()), cv2.CAP_FFMPEG)
        return capture, " as a video: damaged, cut off or of another kind; fetch it again or move it away"
    limits = {cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: _SECONDS_TO_OPEN, cv2.CAP_PROP_READ_TIMEOUT_MSEC: _SECONDS_TO_READ}
    options = [number for key, seconds in limits.items() for number in (key, 1000 * seconds)]
    capture = cv2.VideoCapture(source.url, cv2.CAP_FFMPEG, options)
    return capture, "; check address, user and password, and whether a player can show it"


def _shown_share(path: Path) -> float | None:
    """Return which share of its video track an MP4 or MOV file shows; None where none is stated, and for other files."""
    try:
        index = _index(path)
        movie_ticks, _ = _ticks_and_duration(next(_boxes(index, b"mvhd")))
        for track in _boxes(index, b"trak"):
            media = next(_boxes(track, b"mdia"))
            if next(_boxes(media, b"hdlr"))[8:12] == b"vide":
                ticks, stored = _ticks_and_duration(next(_boxes(media, b"mdhd")))
                header = next(_boxes(track, b"tkhd"))
                _, shown = _ticks_and_duration(header[:1] + header[5:])  # as if without the track's number
                return min(1.0, shown * ticks / (movie_ticks * stored)) or None
    # another container, a live recording in pieces, or a size that no file has
    except (StopIteration, struct.error, ArithmeticError, ValueError, OSError):
        pass
    return None


def _index(path: Path) -> bytes:
    """Return the content of the box ``moov`` of a file; empty where there is none."""
    with path.open("rb") as stream:
        while len(header := stream.read(16)) == 16:
            size, kind, long_size = struct.unpack(">I4sQ", header)
            if kind == b"moov" and 16 <= size <= _MAX_INDEX:
                return header[8:] + stream.read(size - 16)
            size = long_size if size == 1 else size
            if size < 8:
                break
            stream.seek(size - 16, os.SEEK_CUR)
    return b""


def _boxes(content: bytes, kind: bytes) -> Iterator[bytes]:
    """Yield the content of each box of a kind that lies directly in ``content``."""
    position = 0
    while position + 8 <= len(content):
        size, found = struct.unpack_from(">I4s", content, position)
        if size < 8:
            return
        if found == kind:
            yield content[position + 8 : position + size]
        position += size


def _ticks_and_duration(header: bytes) -> tuple[int, int]:
    """Return ticks per second and the duration in ticks, which follow two dates of 4 or, since version 1, 8 bytes."""
    ticks, duration = struct.unpack_from(">20xIQ" if header[:1] == b"\1" else ">12xII", header)
    return int(ticks), int(duration)
