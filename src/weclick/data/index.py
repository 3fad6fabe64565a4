"""Which frames exist, and which of them make a clip. No pixels are read here."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Final, Literal, Protocol

from weclick.classes import ClassSet
from weclick.conventions import FrameKey
from weclick.errors import DataError

__all__ = [
    "SPLITS",
    "Clip",
    "Frame",
    "FrameKey",
    "Layout",
    "Refuse",
    "Segment",
    "Sides",
    "Split",
    "clips",
    "refuse",
    "segments",
    "ticks_per_second",
    "unlabelled_clips",
]

Split = Literal["train", "val", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")
Sides = Literal["past", "both"]

MAX_STEP = 60
"""Frames whose numbers are farther apart never share a segment: two seconds at 30 Hz, too long for optical flow."""

MAX_SECONDS = 2
"""The same for frames that are numbered by the time."""

_TICKS: Final = {13: 10**3, 16: 10**6, 19: 10**9}
"""Ticks per second of a time since 1970, in milli-, micro- or nanoseconds, by its digits (from 2001 to 2286)."""


# Frames and clips exist by the hundred thousand: without ``slots`` each would hold a dictionary.
@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; ``label`` and ``instances`` are None where there is no mask. ``after_gap``: frames before it are missing.

    Of the files only ``read_bytes()`` and their text are used in training and evaluation, so a layout from outside may list
    objects that fetch theirs from elsewhere (``examples/remote_frames.py``).
    """

    key: FrameKey
    image: Path
    label: Path | None = None
    instances: Path | None = None
    after_gap: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames of one video and split, ordered by number, about ``step`` numbers apart, without a gap."""

    frames: tuple[Frame, ...]
    step: int

    def at(self, number: int) -> Frame | None:
        """Return the frame with this number, or None."""
        position = bisect_left(self.frames, number, key=lambda frame: frame.key.number)
        found = self.frames[position : position + 1]
        return found[0] if found and found[0].key.number == number else None


@dataclass(frozen=True, slots=True)
class Clip:
    """A target frame and its neighbours, nearest first; ``offsets`` are frame numbers relative to the target."""

    target: Frame
    neighbours: tuple[Frame, ...] = ()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Target and neighbours."""
        return (self.target, *self.neighbours)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Neighbour numbers minus the target's."""
        return tuple(frame.key.number - self.target.key.number for frame in self.neighbours)


Refuse = Callable[[DataError], None]
"""Error handler of a layout: called with the error of each file that cannot be used.

It raises the error, which ends the listing, or records it and returns; then the layout skips the file and goes on.
"""


def refuse(error: DataError) -> None:
    """Raise the error: the handler for all who need every file."""
    raise error


class Layout(Protocol):
    """How the files of a data set are arranged on disk.

    Layouts only list files; every mask is decoded through :meth:`label_ids`, so that a layout's own label ids
    (Cityscapes labelIds, CamVid's 11 = void) become the class set's ids in one place.
    """

    root: Path

    @property
    def name(self) -> str:
        """Short name of the layout."""

    @property
    def classes(self) -> ClassSet:
        """The data set's classes."""

    def splits(self) -> tuple[Split, ...]:
        """Splits that are on disk."""

    def frames(self, split: Split) -> Sequence[Frame]:
        """All frames of a split, in any order; none of a split that is not on disk.

        Called often, so the files should be listed once. Callers must not change the sequence.
        """

    def label_ids(self) -> Sequence[int] | None:
        """Table of 256 entries from stored label value to class id (255 = ignore, -1 = unknown value), or None for identity."""


def segments(frames: Iterable[Frame], borders: Iterable[FrameKey] = ()) -> list[Segment]:
    """Cut the frames of one split into segments without gaps.

    Within a video the usual distance of numbers (the most common one, the smaller on a tie; of times the median) is its step.
    A distance that differs from it by less than half is jitter, any other one is a gap. Distances above ``MAX_STEP``, or
    ``MAX_SECONDS``, are never usual. There is a gap too before a frame with ``after_gap``.

    Args:
        frames: All frames of the split.
        borders: Frames of other splits; where one lies between two frames, there is a gap too.
    """
    by_video: dict[str, list[Frame]] = {}
    for frame in frames:
        by_video.setdefault(frame.key.video, []).append(frame)
    others: dict[str, list[int]] = {}
    for video, number in sorted(borders):
        others.setdefault(video, []).append(number)
    return [segment for video in sorted(by_video) for segment in _cut(by_video[video], others.get(video, []))]


def _cut(frames: list[Frame], borders: list[int]) -> Iterator[Segment]:
    frames = sorted(frames, key=lambda frame: frame.key.number)
    pairs = list(pairwise(frame.key.number for frame in frames))
    step = _usual([after - before for before, after in pairs], ticks_per_second(frames[0].key.number))
    gaps = [
        position
        for position, (before, after) in enumerate(pairs, start=1)
        if 2 * abs(after - before - step) >= step
        or frames[position].after_gap
        or bisect_left(borders, before) != bisect_left(borders, after)
    ]
    for start, end in pairwise([0, *gaps, len(frames)]):
        yield Segment(tuple(frames[start:end]), step)


def ticks_per_second(number: int) -> int | None:
    """Return the ticks per second of a frame number that is a time since 1970, as robots write it; None for any other number."""
    return _TICKS.get(len(str(number)))


def _usual(distances: list[int], ticks: int | None) -> int:
    """Return the usual distance of frame numbers, 1 where there is none."""
    if ticks is not None:  # hardly any two distances are equal
        near = [distance for distance in distances if distance <= MAX_SECONDS * ticks]
        return median_low(near) if near else 1
    counts = Counter(distance for distance in distances if distance <= MAX_STEP)
    # The most common distance, not the smallest: a few extra frames must not cut a video into single frames.
    return min(counts, key=lambda distance: (-counts[distance], distance), default=1)


def clips(
    segments: Iterable[Segment], targets: Iterable[FrameKey], *, neighbours: int, stride: int = 1, sides: Sides = "past"
) -> list[Clip]:
    """Return one clip per target that lies in a segment.

    Args:
        segments: Segments of one split, so that no clip can reach over a gap, a video or a split border.
        targets: Keys of the target frames.
        neighbours: Number of neighbours; a clip has fewer where its segment ends.
        stride: Distance between neighbours, in frames of the segment.
        sides: "past" takes earlier frames only; "both" alternates earlier and later ones.
    """
    keys = set(targets)
    return [
        Clip(frame, tuple(_neighbours(segment.frames, position, neighbours, stride, sides)))
        for segment in segments
        for position, frame in enumerate(segment.frames)
        if frame.key in keys
    ]


def _neighbours(frames: Sequence[Frame], target: int, count: int, stride: int, sides: Sides) -> list[Frame]:
    signs = (-1,) if sides == "past" else (-1, 1)
    multiples = [sign * distance for distance in range(1, count + 1) for sign in signs]
    positions = [target + multiple * stride for multiple in multiples]
    # With both sides there are twice as many candidates: where one side ends, the other one fills up the clip.
    return [frames[position] for position in positions if 0 <= position < len(frames)][:count]


def unlabelled_clips(targets: Sequence[Clip], others: Iterable[Clip]) -> dict[FrameKey, list[Clip]]:
    """Return, by target, the clips around those of its neighbours that are no targets themselves, nearest first.

    Args:
        targets: Clips of the target frames.
        others: Clips around other frames, the neighbours among them.
    """
    labelled = {clip.target.key for clip in targets}
    unlabelled = {clip.target.key: clip for clip in others if clip.target.key not in labelled}
    return {
        clip.target.key: [unlabelled[frame.key] for frame in clip.neighbours if frame.key in unlabelled]
        for clip in targets
    }
