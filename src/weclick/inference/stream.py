"""Choosing the frames the network gets: all of a source, read ahead, or the newest of a live one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Condition, Thread
from time import perf_counter, sleep
from typing import Final

from weclick.errors import ConfigError
from weclick.inference.frames import SourceFrame
from weclick.inference.live import LiveSource
from weclick.inference.sources import FrameFolder, VideoFile

Placed = tuple[int, SourceFrame]
"""A frame and its place in the overlay video: the index of the picture there that shows it."""

WAITING: Final = 3
"""Frames read ahead, and frames waiting to be written: enough to overlap, few enough for 4K."""

PATIENCE: Final = 2.0
"""Seconds a live source gets to finish its last frame: a camera that hangs must not keep Ctrl-C from ending."""

PAUSE: Final = 50
"""Pictures of the overlay video that a pause takes at most, such as that of a lost stream: two seconds at 25 FPS."""


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time the block takes to ``seconds[stage]``; each stage belongs to one thread."""
    started = perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - started


def open_stream(
    source: VideoFile | FrameFolder | LiveSource,
    seconds: dict[str, float],
    *,
    stride: int = 1,
    max_frames: int | None = None,
    realtime: bool = False,
) -> ReadAhead | Newest:
    """Return every ``stride``-th frame of a source, or of a live one the newest of them.

    Args:
        source: See :func:`weclick.inference.sources.open_source`.
        seconds: Gets the time spent on reading, as ``decode``; a live source's includes waiting for its frames.
        stride: Take every so many-th frame.
        max_frames: Read no further than so many frames need; without effect on a live source.
        realtime: Treat a video file as live: play it at its own pace. Cameras and streams always are.

    Raises:
        ConfigError: ``realtime`` with a folder of images.
    """
    frames = _decoded(source, seconds)
    if isinstance(source, LiveSource):
        return Newest(by_the_clock(islice(frames, 0, None, stride), source.fps / stride), source.close)
    if not realtime:
        stop = None if max_frames is None else (max_frames - 1) * stride + 1
        return ReadAhead(enumerate(islice(frames, 0, stop, stride)))
    if isinstance(source, FrameFolder):
        raise ConfigError(f"{source.path} is a folder of images; realtime needs a video file, a camera or a stream")
    return Newest(enumerate(islice(at_own_pace(frames, source.fps), 0, None, stride)))


def _decoded(source: Iterable[SourceFrame], seconds: dict[str, float]) -> Iterator[SourceFrame]:
    frames = iter(source)
    while True:
        with timed(seconds, "decode"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def at_own_pace(
    frames: Iterable[SourceFrame],
    fps: float,
    clock: Callable[[], float] = perf_counter,
    wait: Callable[[float], None] = sleep,
) -> Iterator[SourceFrame]:
    """Give each frame when a player would show it; one that is late comes at once."""
    begun: float | None = None
    for number, frame in enumerate(frames):
        begun = clock() if begun is None else begun
        wait(max(0.0, begun + number / fps - clock()))
        yield frame


def by_the_clock(
    frames: Iterable[SourceFrame], fps: float, clock: Callable[[], float] = perf_counter
) -> Iterator[Placed]:
    """Place frames by when they come: cameras do not always keep the rate they state. No pause is longer than ``PAUSE``."""
    place, before = 0.0, math.inf
    for frame in frames:
        now = clock()
        place += max(0.0, min((now - before) * fps, PAUSE))
        before = now
        yield round(place), frame


class ReadAhead:
    """All frames, in order, a few of them read ahead in a thread."""

    dropped: Final = 0

    def __init__(self, frames: Iterator[Placed]) -> None:
        self._frames = frames
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def __iter__(self) -> Iterator[Placed]:
        pending = deque(self._pool.submit(next, self._frames, None) for _ in range(WAITING))
        while (placed := pending.popleft().result()) is not None:
            pending.append(self._pool.submit(next, self._frames, None))
            yield placed


class Newest:
    """The newest frame of a live source, which is read in a thread; older ones that were not taken are dropped.

    So a frame waits at most until the one before it is done, however slow that is. ``dropped`` counts the frames left
    out between those taken.

    Args:
        frames: The source.
        close: Called when the block ends, to keep the source from waiting for more frames.
    """

    def __init__(self, frames: Iterator[Placed], close: Callable[[], None] | None = None) -> None:
        self.dropped = 0
        self._frames, self._close = frames, close
        self._changed = Condition()
        self._newest: Placed | None = None
        self._unread = 0
        self._over = False
        self._error: Exception | None = None
        self._thread = Thread(target=self._read, name="newest frame", daemon=True)

    def __enter__(self) -> Newest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
        if self._close is not None:
            self._close()
        self._thread.join(PATIENCE)

    def __iter__(self) -> Newest:
        return self

    def __next__(self) -> Placed:
        with self._changed:
            # a signal that comes just before a wait is only handled after it, so no wait is long
            while not self._changed.wait_for(lambda: self._newest is not None or self._over, timeout=0.5):
                pass
            newest, self._newest = self._newest, None
            if newest is None:
                raise self._error or StopIteration
            self.dropped += self._unread - 1
            self._unread = 0
        return newest

    def _read(self) -> None:
        try:
            for placed in self._frames:
                with self._changed:
                    if self._over:
                        return
                    self._newest = placed
                    self._unread += 1
                    self._changed.notify()
        except Exception as error:
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify()
