"""A data set's masks for the click tools, and the simulation of its clicks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from weclick.clicks import CLICKS_FILE, ClickStore, Pictures, Rule, simulate_store
from weclick.clicks.simulate import LoadMasks, Masks
from weclick.data.index import Frame, FrameKey, Layout, Split
from weclick.errors import DataError
from weclick.images import check_same_size, read_instances, read_label


def masks_of(layout: Layout, split: Split) -> dict[FrameKey, LoadMasks | None]:
    """Return, for each frame of a split, the function that reads its masks; None where it has none."""
    return {
        frame.key: partial(load_masks, layout, frame) if frame.label is not None else None
        for frame in layout.frames(split)
    }


def pictures_of(layout: Layout) -> Pictures:
    """Return the images of all frames of a data set, for the exchange of clicks with other tools."""
    images = {frame.key: frame.image for split in layout.splits() for frame in layout.frames(split)}
    return Pictures(layout.root, images)


def load_masks(layout: Layout, frame: Frame) -> Masks:
    """Read class ids (H, W) and, where the data set has them, instance ids (H, W).

    Raises:
        DataError: The frame has no mask, or one that cannot be used.
    """
    if frame.label is None:
        raise DataError(f"frame {frame.key} has no mask")
    label = read_label(frame.label, layout.label_ids())
    if frame.instances is None:
        return label, None
    instances = read_instances(frame.instances)
    check_same_size(label.shape, instances.shape, frame.label, frame.instances)
    return label, instances


def simulate_split(layout: Layout, split: Split, path: Path, *, rule: Rule, min_area: int, seed: int) -> int:
    """Simulate clicks on every masked frame of a split into a new store; return their number.

    Raises:
        DataError: The split has no masks to simulate from, or one of another size than its image.
        ClickError: The store exists or cannot be written.
    """
    frames, pictures = [frame for frame in layout.frames(split) if frame.label is not None], pictures_of(layout)
    if not frames:
        raise DataError(
            f"{layout.root} has no masks in its {split} split, and clicks are simulated from masks; click some frames by "
            f"hand: weclick annotate {layout.root}"
        )
    masks = [(frame.key, partial(_load_fitting, layout, frame, pictures)) for frame in frames]
    return simulate_store(masks, path, layout.classes, rule=rule, min_area=min_area, seed=seed)


def _load_fitting(layout: Layout, frame: Frame, pictures: Pictures) -> Masks:
    """Read the masks of a frame, which must have the image's size: clicks are positions in the image."""
    masks = load_masks(layout, frame)
    try:
        size = pictures.size(frame.key)
    except DataError:  # training counts damaged images
        return masks
    assert frame.label is not None
    check_same_size(size, masks[0].shape, frame.image, frame.label)
    return masks


def find_click_store(layout: Layout, given: Path | None) -> Path | None:
    """Return the click store to train from: the given one, otherwise the one in the data set's root, otherwise None.

    A store in the root that holds no frame yet does not count where there are masks to simulate from: ``weclick annotate``
    creates one as soon as it opens a data set.

    Raises:
        DataError: The given store is missing, or the one in the root cannot be read.
    """
    if given is not None:
        if not given.exists():
            raise DataError(f"click store {given} (data.clicks.store) not found; make one with weclick clicks")
        return given
    path = layout.root / CLICKS_FILE
    if not path.exists():
        return None
    with ClickStore(path, layout.classes, readonly=True) as store:  # the data set's folder may be read-only
        untouched = not store.frames()
    return None if untouched and any(frame.label for frame in layout.frames("train")) else path


def require_masks(layout: Layout) -> None:
    """Refuse to train from simulated clicks where there are no masks to simulate from.

    Raises:
        DataError: No training frame has a mask.
    """
    if not any(frame.label for frame in layout.frames("train")):
        raise DataError(
            f"{layout.root} has neither clicks nor masks in its train split; click some frames, "
            "or name a click store with --data.clicks.store"
        )
