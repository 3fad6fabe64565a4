"""Check a click store for probable mistakes, and count its contents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final, Literal, get_args

import cv2
import numpy as np

from weclick.classes import ClassSet
from weclick.clicks.records import Click, FrameRecord, Status
from weclick.clicks.simulate import LoadMasks, Masks
from weclick.clicks.store import ClickStore
from weclick.conventions import IGNORE_INDEX, FrameKey, Size
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
"""Two clicks of one class within this distance (source pixels) count as one click made twice."""


@dataclass(frozen=True)
class Finding:
    """A probable mistake: its kind, the frame, and a one-line description."""

    kind: Kind
    key: FrameKey
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


@dataclass(frozen=True)
class StoreStats:
    """Contents of a store; clicks on skipped frames are not counted, those on unknown apart.

    ``clicks_per_frame`` is (minimum, median, maximum) over target frames, None if there are none.
    """

    frames: dict[Status, int]
    clicks: int
    unknown: int
    clicks_per_class: dict[str, int]
    clicks_per_frame: tuple[int, float, int] | None
    never_clicked: tuple[str, ...]
    labels: int
    provenance: dict[str, str]


def stats(store: ClickStore) -> StoreStats:
    """Count the contents of a store."""
    statuses = Counter(store.statuses().values())
    per_frame = Counter(record.key for record in store.records()).values()
    counts = store.counts()
    return StoreStats(
        frames={status: statuses[status] for status in get_args(Status)},
        clicks=sum(per_frame),
        unknown=store.unknown(),
        clicks_per_class=counts,
        clicks_per_frame=(min(per_frame), median(per_frame), max(per_frame)) if per_frame else None,
        never_clicked=tuple(name for name, count in counts.items() if not count),
        labels=len(store.accepted()),
        provenance=store.provenance,
    )


def clicking_seconds(store: ClickStore) -> float | None:
    """Return the time people spent on all frames; None unless it was measured on every one with clicks or a label."""
    frames = store.frames()
    used = {record.key for record in store.records()} | set(store.accepted())
    if not used or not all(frames[key].seconds for key in used):
        return None
    return sum(frame.seconds for frame in frames.values())


def check_clicks(
    store: ClickStore, frames: Mapping[FrameKey, LoadMasks | None] | None = None, read_size: ReadSize | None = None
) -> list[Finding]:
    """Find clicks and frames that are probably mistakes.

    Args:
        store: The store; skipped frames are not checked.
        frames: All frames of the data set, each with the function that loads its masks, or None for frames without
            masks. Without ``frames``, only the store itself is checked.
        read_size: Reads the size of a frame's picture. Without it, sizes that are not stored are taken from the masks.

    Returns:
        Findings ordered by frame: clicks outside the image, unknown classes, an object clicked twice, two classes on one
        pixel, finished frames without clicks, unfinished frames with clicks (they do not show which classes are
        absent), frames that are not in the data set, unreadable pictures and masks, sizes that differ, clicks whose
        class differs from the mask.
    """
    clicks: dict[FrameKey, list[Click]] = {}
    for record in store.records():
        clicks.setdefault(record.key, []).append(record.click)
    findings: list[Finding] = []
    for key, frame in store.frames().items():
        if frame.status == "skipped":
            continue
        own = clicks.get(key, [])
        if frame.status == "todo" and own:
            text = f"has {len(own)} clicks but is still to do, so no class counts as absent"
            findings.append(Finding("unfinished", key, text))
        findings += _check_clicks(key, own, frame.size, store.classes)
        if frames is not None and key not in frames:
            findings.append(Finding("missing-frame", key, "the data set has no such frame"))
        load, read = (frames[key], read_size) if frames is not None and key in frames else (None, None)
        found = _check_on_picture(key, frame, own, store.classes, load, read)
        # a preview that was right at once is accepted without a click
        findings += [finding for finding in found if finding.kind != "empty" or not store.has_label(key)]
    return findings


def never_asked(store: ClickStore) -> list[FrameKey]:
    """Return the done frames of people whom nobody asked about the classes that they did not click.

    There, a class without a click counts as absent, though the annotator may only have missed it. Simulated clicks miss none.
    """
    if "rule" in store.provenance:
        return []
    asked = store.all_answers()
    return [key for key, status in store.statuses().items() if status == "done" and key not in asked]


def _check_on_picture(
    key: FrameKey,
    frame: FrameRecord,
    clicks: list[Click],
    classes: ClassSet,
    load: LoadMasks | None,
    read_size: ReadSize | None,
) -> Iterator[Finding]:
    """Compare the clicks of a frame with its picture and its masks, where available."""
    masks, size = None, frame.size
    try:
        # A mask is also loaded for a finished frame without clicks: if all of it is ignored, there was nothing to click.
        masks = load() if load is not None and (clicks or frame.status == "done") else None
        size = read_size(key) if read_size is not None and clicks else _size(masks[0]) if masks else size
    except DataError as error:
        yield Finding("unreadable", key, str(error))
    if frame.status == "done" and not clicks and not (masks and (masks[0] == IGNORE_INDEX).all()):
        yield Finding("empty", key, "done, but has no click")
    yield from _check_pairs(key, clicks, classes, masks)
    if frame.size is None:
        yield from _check_inside(key, clicks, size)
    elif size is not None and size != frame.size:
        clicked = f"{frame.size[1]}x{frame.size[0]}"
        yield Finding("size", key, f"clicked at {clicked}, but its picture has {size[1]}x{size[0]} pixels")
        return  # coordinates of another size cannot be compared with the mask
    if masks is not None:
        yield from _check_label(key, clicks, masks[0])


def _check_clicks(key: FrameKey, clicks: list[Click], size: Size | None, classes: ClassSet) -> Iterator[Finding]:
    # The store refuses such clicks itself, but another program may have written to the file.
    yield from _check_inside(key, clicks, size)
    for click in clicks:
        if not 0 <= click.class_id < len(classes):
            text = f"click at ({click.x:g}, {click.y:g}) has unknown class {click.class_id}"
            yield Finding("unknown-class", key, text)


def _check_inside(key: FrameKey, clicks: list[Click], size: Size | None) -> Iterator[Finding]:
    for click in clicks:
        if size is not None and not click.inside(size):
            where = f"click at ({click.x:g}, {click.y:g})"
            yield Finding("outside", key, f"{where} is outside the image of {size[1]}x{size[0]} pixels")


def _check_pairs(key: FrameKey, clicks: list[Click], classes: ClassSet, masks: Masks | None) -> Iterator[Finding]:
    finite = [click for click in clicks if math.isfinite(click.x) and math.isfinite(click.y)]
    for one, other in combinations(finite, 2):
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
    """Return whether two clicks of one class are on different instances or regions of the masks."""
    if not (one.inside(_size(label)) and other.inside(_size(label)) and one.class_id in range(len(classes))):
        return False
    # the same rule as in simulate_clicks: instances of things count first, anything else by connected region
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
