"""Clicks and frames as the store holds them, and what a valid one is.

Convention: x runs right and y down in pixels of the source image, pixel centres at integers, so an image of width W
covers -0.5 <= x < W - 0.5. Sizes are (H, W).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Literal, NamedTuple, get_args

from weclick.classes import ClassSet
from weclick.conventions import FrameKey
from weclick.errors import ClickError

Status = Literal["todo", "done", "skipped"]
Size = tuple[int, int]


class Click(NamedTuple):
    """A point in source pixels and the class of what lies there."""

    x: float
    y: float
    class_id: int

    @property
    def pixel(self) -> tuple[int, int]:
        """The pixel (x, y) the click falls on."""
        return math.floor(self.x + 0.5), math.floor(self.y + 0.5)

    def inside(self, size: Size) -> bool:
        """Tell whether the click falls on a pixel of an image of ``size`` (H, W)."""
        x, y = self.pixel
        return 0 <= x < size[1] and 0 <= y < size[0]


class TimedClick(NamedTuple):
    """A click and the time it took, in seconds; None where nobody measured."""

    click: Click
    seconds: float | None = None


class FrameRecord(NamedTuple):
    """What the store knows of a frame.

    ``size`` is (H, W), None when never told; ``updated``, ISO time in UTC; ``version`` goes up by one with every change and
    is 0 where nothing was ever stored; ``seconds`` is the time people spent on the frame.
    """

    status: Status = "todo"
    annotator: str = ""
    size: Size | None = None
    updated: str = ""
    version: int = 0
    seconds: float = 0.0


class Progress(NamedTuple):
    """How far frames are; ``clicks`` leaves out those on skipped frames."""

    done: int
    skipped: int
    clicks: int
    seconds: float


class ClickRecord(NamedTuple):
    """A click with its frame and who made it."""

    key: FrameKey
    click: Click
    annotator: str


def is_stored(status: Status, clicks: Sequence[TimedClick], record: FrameRecord, stored: Sequence[TimedClick]) -> bool:
    """Tell whether a frame with this record and these clicks is as somebody wants it, however long it took."""
    return status == record.status and [c.click for c in clicks] == [c.click for c in stored]


def validate_status(status: str) -> None:
    """Refuse a word that is no frame status."""
    if status not in get_args(Status):
        raise ClickError(f"unknown frame status {status!r}; use one of: {', '.join(get_args(Status))}")


def validate_click(click: Click, classes: ClassSet, size: Size | None = None) -> None:
    """Refuse a click that cannot be right: a coordinate that is not finite, an unknown class, a place outside ``size``.

    Raises:
        ClickError: One line that names the click and what is wrong with it.
    """
    where = f"click at ({click.x}, {click.y})"
    if not (math.isfinite(click.x) and math.isfinite(click.y)):
        raise ClickError(f"{where}: coordinates must be finite numbers")
    if not 0 <= click.class_id < len(classes):
        raise ClickError(f"{where}: unknown class id {click.class_id}; the data set has 0 to {len(classes) - 1}")
    if size is not None and not click.inside(size):
        raise ClickError(f"{where} lies outside the image of {size[1]}x{size[0]} pixels")


def validate_key(key: FrameKey) -> None:
    """Refuse a frame key that cannot be stored: no video name, one that is not text, or a negative number."""
    try:
        valid = bool(key.video.encode()) and 0 <= index(key.number) < 2**63
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise ClickError(f"frame {key.video!a}:{key.number} needs a video name in UTF-8 and a number from 0")
