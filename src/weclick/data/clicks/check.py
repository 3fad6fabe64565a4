"""What is wrong with a click store, and what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final, Literal, get_args

import numpy as np

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.data.clicks.records import Click, FrameRecord, Size, Status
from weclick.data.clicks.simulate import LoadMasks
from weclick.data.clicks.store import ClickStore
from weclick.frames import FrameKey

Kind = Literal[
    "outside", "unknown-class", "duplicate", "conflict", "empty", "unfinished", "missing-frame", "size", "disagrees"
]

DUPLICATE_DISTANCE: Final = 2.0
"""Two clicks of one class this near (source pixels) are taken for one click made twice."""


@dataclass(frozen=True)
class Finding:
    """Something to look at: its kind, the frame, and one line for a person."""

    kind: Kind
    key: FrameKey
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


@dataclass(frozen=True)
class StoreStats:
    """What is in a store; clicks on skipped frames are not counted.

    ``clicks_per_frame`` is (minimum, median, maximum) over target frames, None without any.
    """

    frames: dict[Status, int]
    clicks: int
    clicks_per_class: dict[str, int]
    clicks_per_frame: tuple[int, float, int] | None
    never_clicked: tuple[str, ...]
    provenance: dict[str, str]


def stats(store: ClickStore) -> StoreStats:
    """Count what is in a store."""
    statuses = Counter(store.statuses().values())
    per_frame = Counter(record.key for record in store.records()).values()
    counts = store.counts()
    return StoreStats(
        frames={status: statuses[status] for status in get_args(Status)},
        clicks=sum(per_frame),
        clicks_per_class=counts,
        clicks_per_frame=(min(per_frame), median(per_frame), max(per_frame)) if per_frame else None,
        never_clicked=tuple(name for name, count in counts.items() if not count),
        provenance=store.provenance,
    )


def check_clicks(store: ClickStore, frames: Mapping[FrameKey, LoadMasks | None] | None = None) -> list[Finding]:
    """Look for clicks that are probably mistakes.

    Args:
        store: The store; skipped frames are not looked at.
        frames: The data set's frames with the function that reads their masks, None where there are none. Without
            ``frames`` only what the store alone shows is found.

    Returns:
        Findings ordered by frame: clicks outside the image, unknown classes, the same object clicked twice, two classes
        on one pixel, frames done without a click, frames with clicks that are still to do (no class is known to be
        absent there), frames the data set lacks, image sizes that differ, clicks whose class is not the mask's.
    """
    clicks: dict[FrameKey, list[Click]] = {}
    for record in store.records():
        clicks.setdefault(record.key, []).append(record.click)
    return [
        finding
        for key, frame in store.frames().items()
        if frame.status != "skipped"
        for finding in _check_frame(key, frame, clicks.get(key, []), store.classes, frames)
    ]


def _check_frame(
    key: FrameKey,
    frame: FrameRecord,
    clicks: list[Click],
    classes: ClassSet,
    frames: Mapping[FrameKey, LoadMasks | None] | None,
) -> Iterator[Finding]:
    if frame.status == "done" and not clicks:
        yield Finding("empty", key, "done, but carries no click")
    if frame.status == "todo" and clicks:
        yield Finding("unfinished", key, f"carries {len(clicks)} clicks, but is still to do: no class counts as absent")
    yield from _check_places(key, clicks, frame.size)
    yield from _check_classes(key, clicks, classes)
    yield from _check_pairs(key, clicks, classes)
    if frames is not None and key not in frames:
        yield Finding("missing-frame", key, "the data set has no such frame")
    load = frames.get(key) if frames is not None else None
    if load is not None and clicks:
        yield from _check_label(key, frame, clicks, load()[0])


def _check_places(key: FrameKey, clicks: list[Click], size: Size | None) -> Iterator[Finding]:
    for click in clicks:
        if size is not None and not click.inside(size):
            where = f"click at ({click.x:g}, {click.y:g})"
            yield Finding("outside", key, f"{where} lies outside the image of {size[1]}x{size[0]} pixels")


def _check_classes(key: FrameKey, clicks: list[Click], classes: ClassSet) -> Iterator[Finding]:
    for click in clicks:
        if not 0 <= click.class_id < len(classes):
            yield Finding(
                "unknown-class", key, f"click at ({click.x:g}, {click.y:g}) has unknown class {click.class_id}"
            )


def _check_pairs(key: FrameKey, clicks: list[Click], classes: ClassSet) -> Iterator[Finding]:
    for one, other in combinations(clicks, 2):
        where = f"({one.x:g}, {one.y:g}) and ({other.x:g}, {other.y:g})"
        if one.class_id == other.class_id:
            if (one.x - other.x) ** 2 + (one.y - other.y) ** 2 <= DUPLICATE_DISTANCE**2:
                yield Finding("duplicate", key, f"{_name(one, classes)} is clicked twice, at {where}")
        elif one.pixel == other.pixel:
            both = f"{_name(one, classes)} and {_name(other, classes)}"
            yield Finding("conflict", key, f"{both} are clicked on one pixel, at {where}")


def _name(click: Click, classes: ClassSet) -> str:
    return classes[click.class_id].name if 0 <= click.class_id < len(classes) else f"class {click.class_id}"


def _check_label(key: FrameKey, frame: FrameRecord, clicks: list[Click], label: np.ndarray) -> Iterator[Finding]:
    size = (label.shape[0], label.shape[1])
    if frame.size is None:
        yield from _check_places(key, clicks, size)
    elif frame.size != size:
        stored = f"{frame.size[1]}x{frame.size[0]}"
        yield Finding("size", key, f"clicked at {stored}, but the mask has {size[1]}x{size[0]} pixels")
        return
    inside = [click for click in clicks if click.inside(size)]
    truth = [int(label[click.pixel[1], click.pixel[0]]) for click in inside]
    wrong = sum(t not in (click.class_id, IGNORE_INDEX) for t, click in zip(truth, inside, strict=True))
    if wrong:
        yield Finding("disagrees", key, f"{wrong} of {len(clicks)} clicks have another class than the mask")
