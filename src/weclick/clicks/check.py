"""What is wrong with a click store, and what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final, Literal, get_args

import cv2
import numpy as np

from weclick.classes import ClassSet
from weclick.clicks.records import Click, FrameRecord, Size, Status
from weclick.clicks.simulate import LoadMasks, Masks
from weclick.clicks.store import ClickStore
from weclick.conventions import IGNORE_INDEX, FrameKey
from weclick.errors import DataError

Kind = Literal[
    "outside",
    "unknown-class",
    "duplicate",
    "conflict",
    "empty",
    "unfinished",
    "missing-frame",
    "unreadable",
    "size",
    "disagrees",
]
ReadSize = Callable[[FrameKey], Size]
"""Reads the size (H, W) of a frame's picture."""

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


def check_clicks(
    store: ClickStore, frames: Mapping[FrameKey, LoadMasks | None] | None = None, read_size: ReadSize | None = None
) -> list[Finding]:
    """Look for clicks that are probably mistakes.

    Args:
        store: The store; skipped frames are not looked at.
        frames: The data set's frames with the function that reads their masks, None where there are none. Without
            ``frames`` only what the store alone shows is found.
        read_size: Reads the size of a frame's picture; without it, masks alone tell sizes that the store does not know.

    Returns:
        Findings ordered by frame: clicks outside the image, unknown classes, the same object clicked twice, two classes
        on one pixel, frames done without a click, frames with clicks that are still to do (no class is known to be
        absent there), frames the data set lacks, pictures and masks that cannot be read, image sizes that differ, clicks
        whose class is not the mask's.
    """
    clicks: dict[FrameKey, list[Click]] = {}
    for record in store.records():
        clicks.setdefault(record.key, []).append(record.click)
    found: list[Finding] = []
    for key, frame in store.frames().items():
        if frame.status == "skipped":
            continue
        own = clicks.get(key, [])
        found += _check_frame(key, frame, own, store.classes)
        if frames is not None and key not in frames:
            found.append(Finding("missing-frame", key, "the data set has no such frame"))
        load, read = (frames[key], read_size) if frames is not None and key in frames else (None, None)
        found += _check_on_picture(key, frame, own, store.classes, load, read)
    return found


def _check_frame(key: FrameKey, frame: FrameRecord, clicks: list[Click], classes: ClassSet) -> Iterator[Finding]:
    if frame.status == "todo" and clicks:
        yield Finding("unfinished", key, f"carries {len(clicks)} clicks, but is still to do: no class counts as absent")
    yield from _check_places(key, clicks, frame.size)
    yield from _check_classes(key, clicks, classes)


def _check_on_picture(
    key: FrameKey,
    frame: FrameRecord,
    clicks: list[Click],
    classes: ClassSet,
    load: LoadMasks | None,
    read_size: ReadSize | None,
) -> Iterator[Finding]:
    """Find what the picture and the masks of a frame show, as far as there are any."""
    masks, size = None, frame.size
    try:
        masks = load() if load is not None and (clicks or frame.status == "done") else None
        size = read_size(key) if read_size is not None and clicks else _size(masks[0]) if masks else size
    except DataError as error:
        yield Finding("unreadable", key, str(error))
    if frame.status == "done" and not clicks and not (masks and (masks[0] == IGNORE_INDEX).all()):
        yield Finding("empty", key, "done, but carries no click")
    yield from _check_pairs(key, clicks, classes, masks)
    if frame.size is None:
        yield from _check_places(key, clicks, size)
    elif size is not None and size != frame.size:
        clicked = f"{frame.size[1]}x{frame.size[0]}"
        yield Finding("size", key, f"clicked at {clicked}, but its picture has {size[1]}x{size[0]} pixels")
        return
    if masks is not None:
        yield from _check_label(key, clicks, masks[0])


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


def _check_pairs(key: FrameKey, clicks: list[Click], classes: ClassSet, masks: Masks | None) -> Iterator[Finding]:
    for one, other in combinations(clicks, 2):
        where = f"({one.x:g}, {one.y:g}) and ({other.x:g}, {other.y:g})"
        if one.class_id == other.class_id:
            near = (one.x - other.x) ** 2 + (one.y - other.y) ** 2 <= DUPLICATE_DISTANCE**2
            if near and not (masks and _on_two_objects(one, other, classes, *masks)):
                yield Finding("duplicate", key, f"{_name(one, classes)} is clicked twice, at {where}")
        elif one.pixel == other.pixel:
            both = f"{_name(one, classes)} and {_name(other, classes)}"
            yield Finding("conflict", key, f"{both} are clicked on one pixel, at {where}")


def _on_two_objects(
    one: Click, other: Click, classes: ClassSet, label: np.ndarray, instances: np.ndarray | None
) -> bool:
    """Tell whether masks show two clicks of a class to be on what is clicked once each, as simulated clicks are."""
    if not (one.inside(_size(label)) and other.inside(_size(label)) and one.class_id in range(len(classes))):
        return False
    region = label == one.class_id
    if instances is not None and classes[one.class_id].thing:
        first, second = (instances[click.pixel[::-1]] for click in (one, other))
        if first or second:
            return bool(first != second)
        region &= instances == 0
    _, regions = cv2.connectedComponents(region.astype(np.uint8), connectivity=8)
    return bool(regions[one.pixel[::-1]] != regions[other.pixel[::-1]])


def _name(click: Click, classes: ClassSet) -> str:
    return classes[click.class_id].name if 0 <= click.class_id < len(classes) else f"class {click.class_id}"


def _check_label(key: FrameKey, clicks: list[Click], label: np.ndarray) -> Iterator[Finding]:
    inside = [click for click in clicks if click.inside(_size(label))]
    truth = [int(label[click.pixel[1], click.pixel[0]]) for click in inside]
    wrong = sum(t not in (click.class_id, IGNORE_INDEX) for t, click in zip(truth, inside, strict=True))
    if wrong:
        yield Finding("disagrees", key, f"{wrong} of {len(clicks)} clicks have another class than the mask")


def _size(label: np.ndarray) -> Size:
    return label.shape[0], label.shape[1]
