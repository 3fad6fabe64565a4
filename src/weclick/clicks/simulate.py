"""Clicks as an annotator would make them, drawn from masks: one per instance, or per connected region."""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress

from weclick.classes import ClassSet
from weclick.clicks.records import Click, validate_key
from weclick.clicks.sqlite import require_free
from weclick.clicks.store import ClickStore
from weclick.conventions import IGNORE_INDEX, FrameKey
from weclick.errors import ClickError, ConfigError, DataError, ShapeError, WeclickError
from weclick.files import atomic_path

Rule = Literal["center", "uniform", "human"]
Masks = tuple[np.ndarray, np.ndarray | None]
LoadMasks = Callable[[], Masks]
"""Reads a frame's label uint8 (H, W) and, where there are any, its instances int32 (H, W)."""

HUMAN_SPREAD: Final = 0.5
"""Standard deviation of the "human" rule as a share of the region's inner radius."""
HUMAN_TRIES: Final = 32


class _Region(NamedTuple):
    """A region cut out of the image: its upper left corner, its pixels and their number, its class."""

    top: int
    left: int
    mask: np.ndarray
    area: int
    class_id: int

    @property
    def order(self) -> tuple[int, int, int]:
        """Class and first pixel in reading order: no two regions share it."""
        return self.class_id, self.top, self.left + int(self.mask[0].argmax())


def simulate_clicks(
    label: np.ndarray,
    instances: np.ndarray | None,
    classes: ClassSet,
    *,
    rule: Rule,
    min_area: int = 100,
    rng: np.random.Generator,
) -> list[Click]:
    """Click once on every object of a mask.

    Each instance of a thing class gets one click, on its largest piece. Everything else, stuff as well as thing pixels
    without an instance id, gets one click per connected region (8 neighbours). Every class in the mask gets a click, so
    that a class without one is known to be absent.

    Shape:
        ``label`` uint8 (H, W), class ids and 255; ``instances`` integer (H, W), 0 = none, else one id per object.

    Args:
        label: Class ids.
        instances: Instance ids, or None where the data set has none.
        classes: The data set's classes; they say which are things.
        rule: Where to click. "center": the pixel farthest from the region's border, on a tie the one nearest to the
            centroid. "uniform": any pixel, equally likely. "human": normally distributed around the centre, with half
            the inner radius as standard deviation, kept inside the region.
        min_area: Connected regions with fewer pixels get no click, since specks are accidents of labelling; but the
            largest of a class that would else have none gets one. It does not apply to instances, which somebody
            outlined one by one. Meant at the label's size; 100 suits 480x360.
        rng: Source of randomness; "center" does not use it.

    Raises:
        DataError: The label holds ids that no class has.
        ShapeError: Label and instances differ in size.
    """
    _validate(label, instances, classes)
    _validate_rule(rule, min_area)
    found = sorted(_regions_of(label, instances, classes, min_area), key=lambda region: region.order)
    return [_click(region, rule, rng) for region in found]


def simulate_store(
    frames: Iterable[tuple[FrameKey, LoadMasks]],
    path: Path,
    classes: ClassSet,
    *,
    rule: Rule = "center",
    min_area: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> int:
    """Make a click store from masks and return the number of clicks.

    The store appears whole or not at all. A frame's clicks depend on its mask, the seed, its video and its number only,
    not on which other frames there are; rule, seed and min_area are kept in the store's provenance.

    Args:
        frames: Key of each frame with the function that reads its masks; masks are held one at a time.
        path: Where the store shall be; nothing may be there.
        classes: The data set's classes.
        rule: See :func:`simulate_clicks`.
        min_area: See :func:`simulate_clicks`.
        seed: Not negative.
        progress: Show a progress bar when standard error is a terminal.

    Raises:
        ClickError: Something is at ``path``, or the folder cannot be written.
        DataError: A mask cannot be used; the message names the frame.
    """
    _validate_rule(rule, min_area)
    if seed < 0:
        raise ConfigError(f"seed {seed} of the click simulation is negative; use 0 or more")
    require_free(path)
    try:
        with atomic_path(path) as temporary:
            with ClickStore.create(temporary, classes) as store, store.transaction():
                store.note(source="simulation", rule=rule, seed=seed, min_area=min_area)
                for key, load in _shown(frames, progress):
                    clicks, size = _frame_clicks(key, load, classes, rule, min_area, seed)
                    store.replace(key, clicks, size=size, annotator="simulation")
                count = len(store.records())
            require_free(path)
    except OSError as error:
        raise ClickError(f"{path} cannot be written: {error.strerror or error}; choose another folder") from None
    return count


def _shown(frames: Iterable[tuple[FrameKey, LoadMasks]], progress: bool) -> Iterator[tuple[FrameKey, LoadMasks]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (progress and console.is_terminal)) as bar:
        yield from bar.track(frames, total=operator.length_hint(frames) or None, description="simulating clicks")


def _frame_clicks(
    key: FrameKey, load: LoadMasks, classes: ClassSet, rule: Rule, min_area: int, seed: int
) -> tuple[list[Click], tuple[int, int]]:
    validate_key(key)
    rng = np.random.default_rng([seed, zlib.crc32(key.video.encode()), key.number])
    try:
        label, instances = load()
        clicks = simulate_clicks(label, instances, classes, rule=rule, min_area=min_area, rng=rng)
    except (WeclickError, OSError) as error:
        raise DataError(f"frame {key}: {error}") from None
    return clicks, (label.shape[0], label.shape[1])


def _validate(label: np.ndarray, instances: np.ndarray | None, classes: ClassSet) -> None:
    if label.ndim != 2 or label.dtype != np.uint8:
        raise ShapeError(f"a label is uint8 (H, W), found {label.dtype} {label.shape}")
    if instances is not None and instances.shape != label.shape:
        raise ShapeError(f"label {label.shape} and instances {instances.shape} differ in size")
    unknown = [v for v in np.flatnonzero(np.bincount(label.ravel())) if v >= len(classes) and v != IGNORE_INDEX]
    if unknown:
        ids = ", ".join(map(str, unknown))
        raise DataError(
            f"the label holds ids {ids}, but the data set's classes end at {len(classes) - 1}; check the layout"
        )


def _validate_rule(rule: str, min_area: int) -> None:
    if rule not in get_args(Rule):
        raise ConfigError(f"unknown click rule {rule!r}; use one of: {', '.join(get_args(Rule))}")
    if min_area < 1:
        raise ConfigError(f"min_area {min_area} must be at least 1 pixel")


def _regions_of(label: np.ndarray, instances: np.ndarray | None, classes: ClassSet, min_area: int) -> Iterator[_Region]:
    for class_id in np.flatnonzero(np.bincount(label.ravel(), minlength=256)[: len(classes)]).tolist():
        mask, objects = label == class_id, []
        if classes[class_id].thing and instances is not None:
            objects = list(_instances(np.where(mask, instances, 0), class_id))
            mask &= instances == 0
        regions = list(_connected(mask, class_id))
        objects += [region for region in regions if region.area >= min_area]
        # A class without a click would be taken to be absent.
        yield from objects or [_largest(regions)]


def _instances(ids: np.ndarray, class_id: int) -> Iterator[_Region]:
    for instance in np.unique(ids[ids != 0]):
        yield _largest(_connected(ids == instance, class_id))


def _largest(regions: Iterable[_Region]) -> _Region:
    return min(regions, key=lambda region: (-region.area, region.order))


def _connected(mask: np.ndarray, class_id: int) -> Iterator[_Region]:
    # Labelling only the bounding box spares most of the image for most instances.
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    window = mask[top : top + height, left : left + width].astype(np.uint8)
    if not window.size:
        return
    count, ids, boxes, _ = cv2.connectedComponentsWithStats(window, connectivity=8)
    for region in range(1, count):
        x, y, w, h, area = (int(v) for v in boxes[region])
        yield _Region(top + y, left + x, ids[y : y + h, x : x + w] == region, area, class_id)


def _click(region: _Region, rule: Rule, rng: np.random.Generator) -> Click:
    if rule == "uniform":
        pixels = np.argwhere(region.mask)
        y, x = pixels[rng.integers(len(pixels))]
    else:
        y, x, radius = _center(region.mask)
        if rule == "human":
            y, x = _near(region.mask, y, x, HUMAN_SPREAD * radius, rng)
    return Click(float(region.left + x), float(region.top + y), region.class_id)


def _center(mask: np.ndarray) -> tuple[int, int, float]:
    """Return y, x and the distance to the border of the pixel farthest from it; the image's border counts as one."""
    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    farthest = np.argwhere(distance == distance.max())
    pixels = np.argwhere(mask)
    # In integers (offset from the centroid, times the area), so that ties are ties on every machine.
    offset = farthest * len(pixels) - pixels.sum(axis=0)
    y, x = farthest[(offset**2).sum(axis=1).argmin()]
    return int(y), int(x), float(distance[y, x])


def _near(mask: np.ndarray, y: int, x: int, sigma: float, rng: np.random.Generator) -> tuple[int, int]:
    # All tries are drawn at once: a region uses the same amount of randomness whatever its shape.
    tries = np.rint(rng.normal((y, x), sigma, size=(HUMAN_TRIES, 2))).astype(int)
    inside = ((tries >= 0) & (tries < mask.shape)).all(axis=1)
    for row, column in tries[inside]:
        if mask[row, column]:
            return int(row), int(column)
    return y, x
