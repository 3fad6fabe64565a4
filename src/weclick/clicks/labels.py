"""Accepted labels as label maps: where they are sure, and as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.clicks.exchange.common import writing
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.records import AcceptedLabel
from weclick.clicks.store import ClickStore
from weclick.conventions import IGNORE_INDEX, FrameKey, Size
from weclick.errors import ClickError
from weclick.files import atomic_path

SURE: Final = 0.5
"""Pixels with a lower confidence count as unsure."""
SEEN_SHARE: Final = 0.005
"""A class is seen if it covers at least this share of the frame; of 480x360 pixels, about 29x29."""


def sure_labels(label: AcceptedLabel, size: Size, sure: float) -> NDArray[np.uint8]:
    """Return an accepted label at a size (h, w), ``IGNORE_INDEX`` where its confidence is below ``sure``, 0 to 1."""
    ids = cv2.resize(label.ids, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    confidence = cv2.resize(label.confidence, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(confidence >= 255 * sure, ids, IGNORE_INDEX).astype(np.uint8)


def seen_classes(ids: NDArray[np.uint8]) -> list[int]:
    """Return the classes that cover a visible part of a preview or label, class ids uint8 (H, W)."""
    counts = np.bincount(ids.ravel(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]
    return [int(class_id) for class_id in np.flatnonzero(counts >= max(1, SEEN_SHARE * ids.size))]


def export_labels(
    store: ClickStore, folder: Path, pictures: Pictures, *, sure: float, show: Callable[[int, int], None]
) -> int:
    """Write each accepted label as ``folder/<video>/<stem of the image>.png`` and return their number.

    The files hold class ids, 8-bit grey, 255 where the confidence is below ``sure``: the layout "folder" reads them as masks.

    Args:
        store: The store.
        folder: Created if missing. Files in it are not replaced.
        pictures: The data set's images, which name the files.
        sure: 0 to 1.
        show: Called with the number of labels that are written, and of all.

    Raises:
        ClickError: A label is of a frame that the data set lacks, a file exists or cannot be written; files that were written
            before stay.
    """
    # all names first: nothing is written if one cannot be
    files = {key: folder / key.video / f"{pictures.path(key).stem}.png" for key in store.accepted()}
    for file in files.values():
        if file.exists():
            raise ClickError(f"{file} exists; export to a new folder, or remove it first")
    for key, ids in accepted_labels(store, sure=sure, show=show):
        encoded = cv2.imencode(".png", ids)[1]
        # not durable: syncing thousands of small files takes minutes, and an export can be repeated
        with writing(files[key]), atomic_path(files[key], durable=False) as temporary:
            temporary.write_bytes(encoded.tobytes())
    return len(files)


def accepted_labels(
    store: ClickStore, *, sure: float, show: Callable[[int, int], None]
) -> Iterator[tuple[FrameKey, NDArray[np.uint8]]]:
    """Yield the frames with an accepted label and its class ids; arguments as for :func:`export_labels`."""
    keys = store.accepted()
    for done, key in enumerate(keys, start=1):
        label = store.label(key)
        if label is not None:  # else it was removed meanwhile by an annotator
            yield key, sure_labels(label, (label.ids.shape[0], label.ids.shape[1]), sure)
        show(done, len(keys))
