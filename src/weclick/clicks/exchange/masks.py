"""Accepted labels in the formats of other tools: one mask per class and frame, run-length encoded."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.classes import ClassSet
from weclick.clicks.exchange.coco import categories
from weclick.clicks.exchange.common import save_text, to_json
from weclick.clicks.exchange.cvat import empty_annotations, save_xml
from weclick.conventions import IGNORE_INDEX

MaskFormat = Literal["coco", "cvat"]


class NamedLabel(NamedTuple):
    """A picture's name, relative to the data set, and its class ids, uint8 (H, W)."""

    name: str
    ids: NDArray[np.uint8]


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of the alternating runs of a flat mask, that of False first, 0 if it begins with True.

    Example:
        >>> run_lengths(np.array([False, True, True])), run_lengths(np.array([True, False]))
        ([1, 2], [0, 1, 1])
    """
    borders = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    lengths = np.diff([0, *borders, mask.size]).tolist()
    return [0, *lengths] if mask[0] else lengths


def write_coco(path: Path, labels: Iterable[NamedLabel], classes: ClassSet) -> int:
    """Write a COCO file with uncompressed run-length encodings, and return the number of frames.

    References:
        https://cocodataset.org/#format-data: counts run down the columns.
    """
    images: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    for image_id, (name, ids) in enumerate(labels, 1):
        height, width = ids.shape
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for class_id, mask in _masks(ids):
            encoded = {"size": [height, width], "counts": run_lengths(mask.ravel(order="F"))}
            box = list(map(int, cv2.boundingRect(mask.astype(np.uint8))))
            where = {"id": len(masks) + 1, "image_id": image_id, "category_id": class_id + 1, "bbox": box}
            masks.append({**where, "area": int(mask.sum()), "segmentation": encoded, "iscrowd": 1})
    save_text(path, to_json({"images": images, "annotations": masks, "categories": categories(classes)}))
    return len(images)


def write_cvat(path: Path, labels: Iterable[NamedLabel], classes: ClassSet) -> int:
    """Write a file for CVAT ("CVAT for images 1.1") with masks, and return the number of frames.

    References:
        https://docs.cvat.ai/docs/other/xml_format: runs go along the rows of a mask's box.
    """
    root = empty_annotations(classes, "mask")
    for number, (name, ids) in enumerate(labels):
        height, width = ids.shape
        image = ET.SubElement(root, "image", id=str(number), name=name, width=str(width), height=str(height))
        for class_id, mask in _masks(ids):
            left, top, wide, high = cv2.boundingRect(mask.astype(np.uint8))
            runs = run_lengths(mask[top : top + high, left : left + wide].ravel())
            box = {"left": str(left), "top": str(top), "width": str(wide), "height": str(high)}
            kept = {"label": classes[class_id].name, "source": "manual", "occluded": "0", "z_order": "0"}
            ET.SubElement(image, "mask", {**kept, "rle": ", ".join(map(str, runs)), **box})
    save_xml(path, root)
    return len(root.findall("image"))


def _masks(ids: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield each class of a label and where it is."""
    for class_id in np.unique(ids):
        if class_id != IGNORE_INDEX:
            yield int(class_id), ids == class_id


WRITERS: Final = {"coco": write_coco, "cvat": write_cvat}
"""Writers by the name of their format."""
