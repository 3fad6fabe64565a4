"""Frames of a camera or a network stream, which is opened again when it is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Final

import numpy as np

from weclick.errors import DataError
from weclick.inference.frames import SourceFrame, first_image, rgb_images, usable_fps
from weclick.video import Address, VideoReader

FIRST: Final = (0, 1, 2)
"""Seconds to wait before each attempt to open a camera or stream."""

LOST: Final = (1, 2, 4, 8, 16, *[30] * 19)
"""The same once it was lost: about ten minutes, which a camera takes to start again, or a router."""

_log = logging.getLogger(__name__)


class LiveSource:
    """Frames of a camera or stream, numbered as they come, until the caller stops. It can be read once.

    When it is lost, it is opened again, after longer and longer pauses (``LOST``), and numbers go on. It ends, with a
    warning, if it stays lost, or if its frames have another size than before.

    Args:
        origin: The number of the camera, or the address of the stream.
        wait: Waits so many seconds and returns whether to give up; by default until :meth:`close`.

    Attributes:
        size: (H, W) of the frames.
        fps: Frames per second as stated.
        count: None, as it is not known how many frames will come.
        announced: Number of frames that a file on a web server announces, 0 for all that is live.

    Raises:
        DataError: It cannot be opened, or gives no frame, in as many attempts as ``FIRST`` allows.
    """

    count: int | None = None

    def __init__(self, origin: int | Address, wait: Callable[[float], bool] | None = None) -> None:
        self._origin, self._closed = origin, Event()
        self._wait = self._closed.wait if wait is None else wait
        self._connect(FIRST)
        self.size = (self._first.shape[0], self._first.shape[1])
        self.fps, self.announced = usable_fps(self._video), self._video.announced

    def __iter__(self) -> Iterator[SourceFrame]:
        for number, image in enumerate(self._images()):
            yield SourceFrame(f"{number:06d}", image)

    def close(self) -> None:
        """End the attempts to open it again, from another thread."""
        self._closed.set()

    def _images(self) -> Iterator[np.ndarray]:
        try:
            while self._first.shape[:2] == self.size:
                yield self._first
                yield from rgb_images(self._video)
                if not self._reconnect():
                    return
        finally:
            self._video.close()
        (height, width), (h, w) = self.size, self._first.shape[:2]
        _log.warning("%s gives frames of %dx%d, no longer %dx%d; it ends here", self._video.name, w, h, width, height)

    def _reconnect(self) -> bool:
        name = self._video.name
        self._video.close()
        _log.warning("connection to %s lost; trying again in %g s", name, LOST[0])
        try:
            self._connect(LOST)
        except DataError as error:
            if not self._closed.is_set():
                _log.warning("%s; it ends here", error)
            return False
        _log.warning("connected to %s again", name)
        return True

    def _connect(self, waits: Sequence[float]) -> None:
        """Open it and read the first frame, waiting before each attempt."""
        error = DataError("closed")
        for seconds in waits:
            if self._wait(seconds):
                break
            try:
                self._video = VideoReader(self._origin)
                self._first = first_image(self._video)
            except DataError as failed:
                error = failed
            else:
                return
        raise DataError(f"{error} ({len(waits)} attempts)")
