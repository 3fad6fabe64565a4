"""Clicks as COCO key points: one JSON file with images, categories and annotations, a category per class.

Assumed of the format (https://cocodataset.org/#format-data): x and y are measured from the image's upper left corner,
as boxes and polygons are and as annotation tools write them. Files whose key points are whole numbers that mean pixels,
such as COCO's own, come to lie half a pixel up and to the left.
"""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

from weclick.classes import ClassSet
from weclick.clicks.exchange.common import (
    Reader,
    Target,
    at,
    entries,
    from_corner,
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
    """Write the clicks of all target frames as COCO, an annotation with one visible key point each; return their number.

    Raises:
        ClickError: A frame has no picture, or the file cannot be written.
    """
    frames = targets(store, pictures)
    clicks = [(image_id, record) for image_id, frame in enumerate(frames, 1) for record in frame.clicks]
    content = {
        "images": [_image(image_id, frame) for image_id, frame in enumerate(frames, 1)],
        "annotations": [_annotation(number_, *click) for number_, click in enumerate(clicks, 1)],
        "categories": _categories(store.classes),
    }
    save_text(path, to_json(content))
    return len(clicks)


def _image(image_id: int, frame: Target) -> dict[str, Any]:
    return {"id": image_id, "file_name": frame.name, "width": frame.size[1], "height": frame.size[0]}


def _categories(classes: ClassSet) -> list[dict[str, Any]]:
    # 0 is the background to many readers
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
    """Read COCO key points, all or none of them, and return their number; the frames become "done".

    Every key point with visibility 1 or 2 is a click of its annotation's category. Those with 0, and annotations
    without key points, are counted and left out.

    Args:
        path: A COCO file.
        store: Where to put the clicks.
        pictures: The data set's pictures.
        replace: Put the clicks in place of those the frames carry, instead of refusing such frames.

    Raises:
        ClickError: The file is no COCO, or an image, category or annotation in it cannot be used (the message names it).
    """
    found = Reader(path, store.classes, pictures)
    content = read_json(path)
    if not isinstance(content, dict):
        raise ClickError(f"{path} is no COCO file: it holds no object with images, annotations and categories")
    with at(str(path)):
        images, categories = (_by_id(content.get(what), what) for what in ("images", "categories"))
        annotations = entries(content.get("annotations"), "annotations")
    keys: dict[object, FrameKey] = {}
    for annotation in annotations:
        with at(f"{path}: annotation {text_of(annotation.get('id', '?'))[:20]}"):
            image = _look_up(annotation, "image_id", images)
            points = _points(annotation, found)
            if points and image["id"] not in keys:
                keys[image["id"]] = key = found.open(text_of(image.get("file_name")))
                found.size(key, image.get("height"), image.get("width"))
            for x, y in points:
                label = _look_up(annotation, "category_id", categories).get("name")
                found.click(keys[image["id"]], x, y, label, text_of(annotation.get("annotator", "")))
    return found.store(store, replace=replace)


def _by_id(value: object, what: str) -> dict[object, dict[str, Any]]:
    found: dict[object, dict[str, Any]] = {}
    for entry in entries(value, what):
        own = entry.get("id")
        if not isinstance(own, int | str):
            raise ClickError(f"{what} need an id each, found {reprlib.repr(own)}")
        if own in found:
            raise ClickError(f"{what} need an id each, found {reprlib.repr(own)} twice")
        found[own] = entry
    return found


def _look_up(annotation: dict[str, Any], what: str, among: dict[object, dict[str, Any]]) -> dict[str, Any]:
    own = annotation.get(what)
    if not isinstance(own, int | str) or own not in among:
        raise ClickError(f"its {what} {reprlib.repr(own)} is not in the file")
    return among[own]


def _points(annotation: dict[str, Any], found: Reader) -> list[tuple[float, float]]:
    """Return the labelled key points (x, y) of an annotation."""
    values = annotation.get("keypoints")
    if values is None:
        found.left_out["annotations without key points"] += 1
        return []
    if not isinstance(values, list) or len(values) % 3:
        raise ClickError(f"keypoints must be a list of x, y, v for each, found {reprlib.repr(values)}")
    numbers = [number(value, "a key point's coordinate") for value in values]
    visible = [(x, y) for x, y, v in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True) if v > 0]
    if hidden := len(values) // 3 - len(visible):
        found.left_out["unlabelled key points"] += hidden
    return visible
