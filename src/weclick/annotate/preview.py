"""The preview of a frame's segmentation: asked from a process of its own, so that saving never waits for it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from weclick.annotate.pictures import Version, to_png
from weclick.classes import ClassSet
from weclick.clicks import Click
from weclick.clicks.labels import SURE
from weclick.clicks.records import AcceptedLabel
from weclick.conventions import IGNORE_INDEX
from weclick.errors import WeclickError

PROBE: Final = "preview of the page"
"""Names what predicted the labels that are accepted in the page."""
CACHE: Final = 4 * 10**9
"""Bytes of features that are kept on disk by default."""
_WIDEST: Final = 960
"""Larger previews are reduced to this width: they are drawn from cells of at least 4 pixels anyway."""
_HATCH: Final = 4
IDLE: Final = 2.0
"""Seconds without a request after which the worker has time for other frames."""
_KEPT: Final = 16
"""Pictures whose latest preview can be accepted."""


class PreviewError(WeclickError):
    """There is no preview now."""


class _Shown(NamedTuple):
    """A preview, and the clicks and absent classes that it was made with."""

    clicks: list[Click]
    absent: set[int]
    label: AcceptedLabel


class Previews:
    """Previews from a worker process, which is started again if it dies.

    Args:
        classes: The data set's classes.
        cache: Bytes of features to keep on disk.
    """

    def __init__(self, classes: ClassSet, cache: int = CACHE) -> None:
        self.classes, self.cache = classes, cache
        self._learned: dict[Path, tuple[Version, Sequence[Click]]] = {}
        self._shown: OrderedDict[Version, _Shown] = OrderedDict()
        self._asked = -IDLE
        self._start()

    def _start(self) -> None:
        # spawned: a fork would copy the server's threads, and torch is not imported here
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _start, (len(self.classes), self.cache))
        # Ctrl-C reaches all processes of the terminal, but only the server reacts: the worker inherits the mask
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._submit(_ready)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for version, clicks in list(self._learned.values()):
            self._submit(_learn, version, _points(clicks))

    async def segment(
        self, version: Version, clicks: Sequence[Click], absent: Collection[int] = ()
    ) -> AcceptedLabel | None:
        """Return the preview of a picture with these clicks and absent classes; None before the first click on any frame.

        Raises:
            DataError: The picture cannot be read.
            PreviewError: The worker process ended, for example for lack of memory.
        """
        self._asked = time.monotonic()
        found = await self._ask(_segment, version, _points(clicks), sorted(absent))
        if found is None:
            return None
        self._shown[version] = _Shown(list(clicks), set(absent), AcceptedLabel(found[0], found[1], PROBE))
        self._shown.move_to_end(version)
        while len(self._shown) > _KEPT:
            self._shown.popitem(last=False)
        return self._shown[version].label

    def shown(self, version: Version, clicks: Sequence[Click], absent: Collection[int] = ()) -> AcceptedLabel | None:
        """Return the latest preview of a picture, if it was made with these clicks and absent classes."""
        shown = self._shown.get(version)
        return shown.label if shown and shown[:2] == (list(clicks), set(absent)) else None

    @property
    def idle(self) -> bool:
        """Whether nobody has asked for a preview in the last seconds."""
        return time.monotonic() >= self._asked + IDLE

    @property
    def learns(self) -> bool:
        """Whether there are clicks that it learns from, or has learned from."""
        return any(clicks for _, clicks in self._learned.values())

    def learn(self, version: Version, clicks: Sequence[Click]) -> None:
        """Learn from the stored clicks of a frame, without waiting."""
        self._learned[version[0]] = (version, clicks)
        self._submit(_learn, version, _points(clicks))

    def prepare(self, version: Version) -> None:
        """Keep a picture ready that will probably be asked for next, without waiting."""
        self._submit(_prepare, version)

    async def examine(self, version: Version) -> tuple[float, float | None] | None:
        """Return how unsure the probe is of a picture; see :meth:`weclick.annotate.segmenter.Segmenter.examine`.

        Raises:
            DataError: The picture cannot be read.
            PreviewError: The worker process ended.
        """
        found: tuple[float, float | None] | None = await self._ask(_examine, version)
        return found

    def close(self) -> None:
        """End the worker process at once; it writes nothing that could be lost."""
        # Python would wait at its exit until the worker has ended by itself, which takes seconds while that imports torch
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, function: Any, *arguments: Any) -> Any:  # noqa: ANN401
        try:
            return await asyncio.wrap_future(self._submit(function, *arguments))
        except BrokenProcessPool:
            raise PreviewError("the process that computes previews ended; the next click starts it again") from None

    def _submit(self, function: Any, *arguments: Any) -> Future[Any]:  # noqa: ANN401
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool:
            self._start()
            return self._pool.submit(function, *arguments)


def preview_picture(preview: AcceptedLabel, classes: ClassSet) -> bytes:
    """Return a preview as a PNG in the classes' colours, hatched where the confidence is low."""
    height, width = preview.ids.shape
    reduced = (min(width, _WIDEST), max(1, round(height * min(1, _WIDEST / width))))
    ids = cv2.resize(preview.ids, reduced, interpolation=cv2.INTER_NEAREST)
    confidence = cv2.resize(preview.confidence, reduced, interpolation=cv2.INTER_LINEAR)
    rows, columns = np.ogrid[: ids.shape[0], : ids.shape[1]]
    hatched = (confidence < 255 * SURE) & ((rows + columns) // _HATCH % 2 == 0)
    colours = np.hstack([classes.palette[:, ::-1], np.full((256, 1), 255, np.uint8)])
    pixels = colours[ids]
    pixels[hatched | (ids == IGNORE_INDEX), 3] = 0
    return to_png(pixels)


def _points(clicks: Sequence[Click]) -> list[tuple[float, float, int]]:
    return [(click.x, click.y, click.class_id) for click in clicks]


# The functions below run in the worker process, which alone imports torch.
def _start(classes: int, cache: int) -> None:
    from weclick.annotate import segmenter

    segmenter.start(classes, cache)


def _ready() -> None:
    """Do nothing: a first task starts the process."""


def _segment(version: Version, points: Sequence[tuple[float, float, int]], absent: Collection[int]) -> Any:  # noqa: ANN401
    from weclick.annotate.segmenter import segmenter

    return segmenter().segment(version, points, absent)


def _learn(version: Version, points: Sequence[tuple[float, float, int]]) -> None:
    from weclick.annotate.segmenter import segmenter

    segmenter().learn(version, points)


def _prepare(version: Version) -> None:
    from weclick.annotate.segmenter import segmenter

    segmenter().prepare(version)


def _examine(version: Version) -> Any:  # noqa: ANN401
    from weclick.annotate.segmenter import segmenter

    return segmenter().examine(version)
