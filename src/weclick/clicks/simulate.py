"""Simulate an annotator's clicks from masks: one per instance, or one per connected region."""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from rich.console import Console
from rich.progress import Progress

from weclick.classes import ClassSet
from weclick.clicks.records import Click, validate_key
from weclick.clicks.regions import Region, center, connected_regions, largest
from weclick.clicks.sqlite import require_free
from weclick.clicks.store import ClickStore
from weclick.conventions import IGNORE_INDEX, FrameKey, Size
from weclick.errors import ClickError, ConfigError, DataError, ShapeError, WeclickError
from weclick.files import atomic_path_apart

Rule = Literal["center", "uniform", "human"]
Masks = tuple[np.ndarray, np.ndarray | None]
LoadMasks = Callable[[], Masks]
"""Loads a frame's label, uint8 (H, W), and its instances, int32 (H, W) or None."""

HUMAN_SPREAD: Final = 0.5
"""Standard deviation of the "human" rule as a share of the region's inner radius."""
HUMAN_TRIES: Final = 32
"""Positions that the "human" rule samples; if all are outside the region, the centre is clicked."""


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

    Each instance of a thing class gets one click, on its largest connected part. All other pixels (stuff, and things
    without an instance id) get one click per connected region (8 neighbours). Every class in the mask gets at least one
    click, so a class without clicks is absent from the frame.

    Shape:
        ``label`` uint8 (H, W), class ids and 255; ``instances`` integer (H, W), 0 = none, else one id per object.

    Args:
        label: Class ids.
        instances: Instance ids, or None if the data set has none.
        classes: The data set's classes, which state what is a thing.
        rule: Where to click. "center": the pixel farthest from the region's border; of several, the one nearest to the
            centroid. "uniform": any pixel, with equal probability. "human": normally distributed around the centre
            (standard deviation: half the inner radius), inside the region.
        min_area: Connected regions with fewer pixels get no click, as very small regions are usually labelling errors.
            If all regions of a class are smaller, its largest is clicked. Instances are clicked whatever their size.
            In pixels of the label; 100 suits 480x360.
        rng: Random generator; "center" does not use it.

    Raises:
        DataError: The label contains unknown class ids.
        ShapeError: Label and instances differ in size.
    """
    _validate(label, instances, classes)
    _validate_rule(rule, min_area)
    regions = sorted(_find_regions(label, instances, classes, min_area), key=lambda region: region.order)
    return [_click(region, rule, rng) for region in regions]


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
    """Create a click store from masks and return the number of clicks.

    The store is written completely or not at all. The clicks of a frame depend only on its mask, video and number and on
    the seed, not on other frames. Rule, seed and min_area are recorded in the store's provenance.

    Args:
        frames: Frame keys, each with the function that loads the masks; one frame's masks are in memory at a time.
        path: The new store's file; it must not exist.
        classes: The data set's classes.
        rule: See :func:`simulate_clicks`.
        min_area: See :func:`simulate_clicks`.
        seed: At least 0.
        progress: Show a progress bar if standard error is a terminal.

    Raises:
        ClickError: ``path`` already exists, or the folder cannot be written.
        DataError: A mask cannot be used; the message names the frame.
    """
    _validate_rule(rule, min_area)
    if seed < 0:
        raise ConfigError(f"seed {seed} of the click simulation is negative; use 0 or more")
    require_free(path)
    try:
        with atomic_path_apart(path) as temporary:
            with ClickStore.create(temporary, classes) as store, store.transaction():
                store.note(source="simulation", rule=rule, seed=seed, min_area=min_area)
                for key, load in _with_progress(frames, progress):
                    clicks, size = _frame_clicks(key, load, classes, rule, min_area, seed)
                    store.replace(key, clicks, size=size, annotator="simulation")
                count = len(store.records())
            require_free(path)  # again: simulating takes minutes, and the rename would overwrite a store made meanwhile
    except OSError as error:
        raise ClickError(f"{path} cannot be written: {error.strerror or error}; choose another folder") from None
    return count


def _with_progress(
    frames: Iterable[tuple[FrameKey, LoadMasks]], progress: bool
) -> Iterator[tuple[FrameKey, LoadMasks]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (progress and console.is_terminal)) as bar:
        yield from bar.track(frames, total=operator.length_hint(frames) or None, description="simulating clicks")


def _frame_clicks(
    key: FrameKey, load: LoadMasks, classes: ClassSet, rule: Rule, min_area: int, seed: int
) -> tuple[list[Click], Size]:
    validate_key(key)
    # one generator per frame, so that its clicks do not depend on other frames or their order
    rng = np.random.default_rng([seed, zlib.crc32(key.video.encode()), key.number])
    try:
        label, instances = load()
        clicks = simulate_clicks(label, instances, classes, rule=rule, min_area=min_area, rng=rng)
    except (WeclickError, OSError) as error:
        raise DataError(f"frame {key}: {error}") from None
    return clicks, (label.shape[0], label.shape[1])


def _validate(label: np.ndarray, instances: np.ndarray | None, classes: ClassSet) -> None:
    if label.ndim != 2 or label.dtype != np.uint8:
        raise ShapeError(f"a label must be uint8 (H, W), found {label.dtype} {label.shape}")
    if instances is not None and instances.shape != label.shape:
        raise ShapeError(f"label {label.shape} and instances {instances.shape} differ in size")
    unknown = [v for v in np.flatnonzero(np.bincount(label.ravel())) if v >= len(classes) and v != IGNORE_INDEX]
    if unknown:
        ids = ", ".join(map(str, unknown))
        raise DataError(f"the label contains ids {ids}, but the class ids end at {len(classes) - 1}; check the layout")


def _validate_rule(rule: str, min_area: int) -> None:
    if rule not in get_args(Rule):
        raise ConfigError(f"unknown click rule {rule!r}; use one of: {', '.join(get_args(Rule))}")
    if min_area < 1:
        raise ConfigError(f"min_area {min_area} must be at least 1 pixel")


def _find_regions(
    label: np.ndarray, instances: np.ndarray | None, classes: ClassSet, min_area: int
) -> Iterator[Region]:
    for class_id in np.flatnonzero(np.bincount(label.ravel(), minlength=256)[: len(classes)]).tolist():
        mask, objects = label == class_id, []
        if classes[class_id].thing and instances is not None:
            ids = np.where(mask, instances, 0)
            objects = [largest(connected_regions(ids == one, class_id)) for one in np.unique(ids[ids != 0])]
            mask &= instances == 0
        regions = list(connected_regions(mask, class_id))
        objects += [region for region in regions if region.area >= min_area]
        # training takes a class without clicks for absent, so every class in the mask needs one
        yield from objects or [largest(regions)]


def _click(region: Region, rule: Rule, rng: np.random.Generator) -> Click:
    if rule == "uniform":
        pixels = np.argwhere(region.mask)
        y, x = pixels[rng.integers(len(pixels))]
    else:
        y, x, radius = center(region.mask)
        if rule == "human":
            y, x = _sample_near(region.mask, y, x, HUMAN_SPREAD * radius, rng)
    return Click(float(region.left + x), float(region.top + y), region.class_id)


def _sample_near(mask: np.ndarray, y: int, x: int, sigma: float, rng: np.random.Generator) -> tuple[int, int]:
    # All tries are sampled at once, so that the shape of one region does not change the random numbers of the next.
    tries = np.rint(rng.normal((y, x), sigma, size=(HUMAN_TRIES, 2))).astype(int)
    inside = ((tries >= 0) & (tries < mask.shape)).all(axis=1)
    for row, column in tries[inside]:
        if mask[row, column]:
            return int(row), int(column)
    return y, x
