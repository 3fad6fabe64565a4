"""Records of a click store, and the checks that a record must pass.

Convention: x points right and y down, in pixels of the source image. Pixel centres are at integers, so an image of
width W covers -0.5 <= x < W - 0.5. Sizes are (H, W).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import index
from typing import Final, Literal, NamedTuple, get_args

import numpy as np

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX, FrameKey, Size
from weclick.errors import ClickError

Status = Literal["todo", "done", "skipped"]

UNKNOWN: Final = IGNORE_INDEX
"""Class id of a click on what belongs to no class, or cannot be identified. It is not trained from; previews stop at it."""

Answers = Mapping[int, bool | None]
"""Whether a class is in a frame, as a person said, by class id of those that were asked about; None for no answer."""


class Click(NamedTuple):
    """A point in source pixels and the class of the object there."""

    x: float
    y: float
    class_id: int

    @property
    def pixel(self) -> tuple[int, int]:
        """The pixel (x, y) that contains the click."""
        # not round(): it rounds halves to even, so border points would go left or right depending on the pixel
        return math.floor(self.x + 0.5), math.floor(self.y + 0.5)

    def inside(self, size: Size) -> bool:
        """Return whether the click is inside an image of ``size`` (H, W)."""
        if not (math.isfinite(self.x) and math.isfinite(self.y)):
            return False
        x, y = self.pixel
        return 0 <= x < size[1] and 0 <= y < size[0]


class TimedClick(NamedTuple):
    """A click and the time it took, in seconds; None if it was not measured."""

    click: Click
    seconds: float | None = None


class AcceptedLabel(NamedTuple):
    """A segmentation of a frame that a person accepted as right.

    Shape:
        ids: uint8 (H, W), class ids and ``IGNORE_INDEX``, of the frame's size; confidence: uint8 (h, w) of any size, 255 for
        certain, which covers the frame.

    Attributes:
        probe: What predicted it, in words: for a simulation encoder and number of clicks.
    """

    ids: np.ndarray
    confidence: np.ndarray
    probe: str = ""

    def equals(self, other: AcceptedLabel | None) -> bool:
        """Return whether both have the same pixels."""
        return other is not None and all(map(np.array_equal, self[:2], other[:2]))


class FrameRecord(NamedTuple):
    """The stored state of a frame.

    ``size`` is (H, W), or None if unknown. ``updated`` is an ISO time in UTC. ``version`` increases by one with every
    change and is 0 for a frame that is not in the store. ``seconds`` is the time people spent on the frame.
    """

    status: Status = "todo"
    annotator: str = ""
    size: Size | None = None
    updated: str = ""
    version: int = 0
    seconds: float = 0.0


class Progress(NamedTuple):
    """Number of finished frames and clicks; clicks on skipped frames are not counted."""

    done: int
    skipped: int
    clicks: int
    seconds: float


class ClickRecord(NamedTuple):
    """A click with its frame and its annotator."""

    key: FrameKey
    click: Click
    annotator: str


def is_unchanged(
    status: Status, clicks: Sequence[TimedClick], record: FrameRecord, stored: Sequence[TimedClick]
) -> bool:
    """Return whether status and clicks equal the stored ones; times are not compared."""
    return status == record.status and [c.click for c in clicks] == [c.click for c in stored]


def validate_status(status: str) -> None:
    """Check a frame status.

    Raises:
        ClickError: There is no such status.
    """
    if status not in get_args(Status):
        raise ClickError(f"unknown frame status {status!r}; use one of: {', '.join(get_args(Status))}")


def validate_click(click: Click, classes: ClassSet, size: Size | None = None) -> None:
    """Check a click.

    Raises:
        ClickError: A coordinate is not finite, the class is unknown, or the click is outside ``size``.
    """
    where = f"click at ({click.x}, {click.y})"
    if not (math.isfinite(click.x) and math.isfinite(click.y)):
        raise ClickError(f"{where}: coordinates must be finite numbers")
    if not 0 <= click.class_id < len(classes) and click.class_id != UNKNOWN:
        raise ClickError(f"{where}: unknown class id {click.class_id}; the data set has 0 to {len(classes) - 1}")
    if size is not None and not click.inside(size):
        raise ClickError(f"{where} is outside the image of {size[1]}x{size[0]} pixels")


def validate_label(label: AcceptedLabel, classes: ClassSet, size: Size | None = None, status: Status = "done") -> None:
    """Check an accepted label.

    Raises:
        ClickError: An array is not uint8 with two dimensions, the label has unknown class ids, or another size than ``size``; or
            the frame's status is not done.
    """
    if status != "done":
        raise ClickError(f"a frame with status {status!r} cannot have an accepted label")
    if any(array.dtype != np.uint8 or array.ndim != 2 or not array.size for array in label[:2]):
        raise ClickError("class ids and confidence of a label must be uint8 (H, W)")
    if size is not None and label.ids.shape != tuple(size):
        height, width = label.ids.shape
        raise ClickError(f"a label of {width}x{height} pixels does not fit the frame of {size[1]}x{size[0]}")
    unknown = [i for i in np.flatnonzero(np.bincount(label.ids.ravel())) if i >= len(classes) and i != IGNORE_INDEX]
    if unknown:
        raise ClickError(f"unknown class ids {', '.join(map(str, unknown))} in a label; the last is {len(classes) - 1}")


def absent_classes(answers: Answers | None) -> list[int]:
    """Return the classes that a person said are not there."""
    return [class_id for class_id, present in (answers or {}).items() if present is False]


def validate_answers(answers: Answers, classes: ClassSet) -> None:
    """Check answers about the classes of a frame.

    Raises:
        ClickError: A class is unknown.
    """
    for class_id in answers:
        if not 0 <= class_id < len(classes):
            raise ClickError(f"answer about unknown class id {class_id}; the data set has 0 to {len(classes) - 1}")


def validate_key(key: FrameKey) -> None:
    """Check that a frame key can be stored.

    Raises:
        ClickError: The video name is empty or not text, or the number is negative or too large.
    """
    try:
        # SQLite stores signed 64-bit integers; file names that are not UTF-8 reach Python as lone surrogates
        valid = bool(key.video.encode()) and 0 <= index(key.number) < 2**63
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise ClickError(f"frame {key.video!a}:{key.number} needs a video name in UTF-8 and a number from 0")
