"""COCO key points: one JSON file with images, annotations and a category per class.

Assumption (https://cocodataset.org/#format-data): x and y are measured from the image's upper left corner, like boxes
and polygons, as annotation tools do. COCO's own key points are integer pixel indices instead; they are imported half a
pixel too far up and to the left.
"""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

from weclick.classes import ClassSet
from weclick.clicks.exchange.common import (
    Reader,
    entries,
    from_corner,
    locate_errors,
    number,
    read_json,
    save_text,
    targets,
    text_of,
    to_json,
)
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.records import ClickRecord
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey
from weclick.errors import ClickError


def export_coco(store: ClickStore, path: Path, pictures: Pictures) -> int:
    """Write each click of the target frames as an annotation with one visible key point; return the number of clicks.

    Raises:
        ClickError: A frame has no picture, or the file cannot be written.
    """
    frames = targets(store, pictures)
    clicks = [(image_id, record) for image_id, frame in enumerate(frames, 1) for record in frame.clicks]
    content = {
        "images": [
            {"id": image_id, "file_name": frame.name, "width": frame.size[1], "height": frame.size[0]}
            for image_id, frame in enumerate(frames, 1)
        ],
        "annotations": [_annotation(annotation_id, *click) for annotation_id, click in enumerate(clicks, 1)],
        "categories": categories(store.classes),
    }
    save_text(path, to_json(content))
    return len(clicks)


def categories(classes: ClassSet) -> list[dict[str, Any]]:
    """Return COCO's categories of the classes."""
    # from 1, as many readers use 0 for the background
    return [
        {
            "id": category_id,
            "name": entry.name,
            "supercategory": "thing" if entry.thing else "stuff",
            "keypoints": ["point"],
            "skeleton": [],
        }
        for category_id, entry in enumerate(classes, 1)
    ]


def _annotation(annotation_id: int, image_id: int, record: ClickRecord) -> dict[str, Any]:
    x, y = from_corner(record.click)
    annotation = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": record.click.class_id + 1,
        "keypoints": [x, y, 2],
        "num_keypoints": 1,
        "bbox": [x, y, 0, 0],
        "area": 0,
        "segmentation": [],
        "iscrowd": 0,
    }
    return {**annotation, "annotator": record.annotator} if record.annotator else annotation


def import_coco(path: Path, store: ClickStore, pictures: Pictures, *, replace: bool = False) -> int:
    """Import COCO key points, all or none of them, and return their number; the frames become "done".

    Every key point with visibility 1 or 2 is a click of its annotation's category. Those with 0, and annotations
    without key points, are counted and left out.

    Args:
        path: A COCO file.
        store: The store to add the clicks to.
        pictures: The data set's pictures.
        replace: Replace the clicks of frames that already have some, instead of refusing the file.

    Raises:
        ClickError: The file is not COCO, or an image, category or annotation in it cannot be used (the message names
            it).
    """
    reader = Reader(path, store.classes, pictures)
    content = read_json(path)
    if not isinstance(content, dict):
        raise ClickError(f"{path} is not a COCO file: it has no object with images, annotations and categories")
    with locate_errors(str(path)):
        images, categories = (_by_id(content.get(what), what) for what in ("images", "categories"))
        annotations = entries(content.get("annotations"), "annotations")
    keys: dict[object, FrameKey] = {}
    for annotation in annotations:
        with locate_errors(f"{path}: annotation {text_of(annotation.get('id', '?'))[:20]}"):
            image = _look_up(annotation, "image_id", images)
            points = _points(annotation, reader)
            if points and image["id"] not in keys:
                keys[image["id"]] = key = reader.add_frame(text_of(image.get("file_name")))
                reader.check_size(key, image.get("height"), image.get("width"))
            for x, y in points:
                label = _look_up(annotation, "category_id", categories).get("name")
                reader.add_click(keys[image["id"]], x, y, label, text_of(annotation.get("annotator", "")))
    return reader.save(store, replace=replace)


def _by_id(value: object, what: str) -> dict[object, dict[str, Any]]:
    by_id: dict[object, dict[str, Any]] = {}
    for entry in entries(value, what):
        entry_id = entry.get("id")
        if not isinstance(entry_id, int | str):
            raise ClickError(f"each of the {what} needs an id, found {reprlib.repr(entry_id)}")
        if entry_id in by_id:
            raise ClickError(f"each of the {what} needs its own id, found {reprlib.repr(entry_id)} twice")
        by_id[entry_id] = entry
    return by_id


def _look_up(annotation: dict[str, Any], field: str, by_id: dict[object, dict[str, Any]]) -> dict[str, Any]:
    entry_id = annotation.get(field)
    # the type first: a list or an object cannot be a key of a dictionary
    if not isinstance(entry_id, int | str) or entry_id not in by_id:
        raise ClickError(f"its {field} {reprlib.repr(entry_id)} is not in the file")
    return by_id[entry_id]


def _points(annotation: dict[str, Any], reader: Reader) -> list[tuple[float, float]]:
    """Return the labelled key points (x, y) of an annotation."""
    values = annotation.get("keypoints")
    if values in (None, []):
        reader.left_out["annotations without key points"] += 1
        return []
    if not isinstance(values, list) or len(values) % 3:
        raise ClickError(f"keypoints must be a list of x, y, v per point, found {reprlib.repr(values)}")
    numbers = [number(value, "a key point's coordinate") for value in values]
    visible = [(x, y) for x, y, v in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True) if v > 0]
    if hidden := len(values) // 3 - len(visible):
        reader.left_out["unlabelled key points"] += hidden
    return visible
