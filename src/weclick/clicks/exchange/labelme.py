"""Clicks as labelme keeps them: a folder with one JSON file per picture, shapes of the type "point".

Assumed of the format (labelme 5, ``labelme/label_file.py``): positions are in pixels from the image's corner;
``imagePath`` is relative to the JSON file's own folder; keys of a shape that labelme does not know are kept, so that
``annotator`` survives there.
"""

from __future__ import annotations

import os
import posixpath
import reprlib
from pathlib import Path
from typing import Any, Final

from weclick.classes import ClassSet
from weclick.clicks.exchange.common import (
    Reader,
    Target,
    at,
    entries,
    from_corner,
    number,
    read_json,
    targets,
    text_of,
    to_json,
    writing,
)
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.records import ClickRecord
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey
from weclick.errors import ClickError
from weclick.files import atomic_path

VERSION: Final = "5.5.0"
"""The labelme whose files these are."""


def export_labelme(store: ClickStore, path: Path, pictures: Pictures) -> int:
    """Write one labelme file per target frame into the folder ``path`` and return the number of clicks.

    A file lies in ``path`` as its picture lies in the data set. With the data set's root as ``path`` the files come
    to lie beside the pictures, where labelme looks for them.

    Raises:
        ClickError: A frame has no picture, two pictures differ in their suffix only, a file is there already (it might
            hold other people's shapes), or cannot be written.
    """
    frames: dict[Path, Target] = {}
    for frame in targets(store, pictures):
        file = path / Path(frame.name).with_suffix(".json")
        if file.exists():
            raise ClickError(f"{file} exists; export to a new folder, or remove it first")
        if file in frames:
            raise ClickError(f"{frames[file].name} and {frame.name} would share {file}; choose another format")
        frames[file] = frame
    for file, frame in frames.items():
        with writing(file):
            text = to_json(_file(frame, _relative(pictures.path(frame.key), file.parent), store.classes))
            with atomic_path(file, durable=False) as temporary:
                temporary.write_text(text, encoding="utf-8")
    return sum(len(frame.clicks) for frame in frames.values())


def _relative(picture: Path, folder: Path) -> str:
    return Path(os.path.relpath(picture.resolve(), folder.resolve())).as_posix()


def _file(frame: Target, image: str, classes: ClassSet) -> dict[str, Any]:
    return {
        "version": VERSION,
        "flags": {},
        "shapes": [_shape(record, classes) for record in frame.clicks],
        "imagePath": image,
        "imageData": None,
        "imageHeight": frame.size[0],
        "imageWidth": frame.size[1],
    }


def _shape(record: ClickRecord, classes: ClassSet) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "label": classes[record.click.class_id].name,
        "points": [from_corner(record.click)],
        "group_id": None,
        "description": "",
        "shape_type": "point",
        "flags": {},
        "mask": None,
    }
    return {**shape, "annotator": record.annotator} if record.annotator else shape


def import_labelme(path: Path, store: ClickStore, pictures: Pictures, *, replace: bool = False) -> int:
    """Read the points of labelme files, all or none of them, and return their number; the frames become "done".

    Other shapes, and JSON files that are not labelme's, are counted and left out.

    Args:
        path: A folder, searched with all folders in it, or one file.
        store: Where to put the clicks.
        pictures: The data set's pictures.
        replace: Put the clicks in place of those the frames carry, instead of refusing such frames.

    Raises:
        ClickError: No labelme file is there, or one cannot be used (the message names it).
    """
    found = Reader(path, store.classes, pictures)
    files = sorted(file for file in path.rglob("*.json") if not file.name.startswith(".")) if path.is_dir() else [path]
    used = 0
    for file in files:
        content = read_json(file)
        if isinstance(content, dict) and "shapes" in content:
            used += 1
            with at(str(file)):
                _read(content, file.parent, found)
        else:
            found.left_out["JSON files of another kind"] += 1
    if not used:
        raise ClickError(f"{path} holds no labelme file; name the folder labelme wrote into")
    return found.store(store, replace=replace)


def _read(content: dict[str, Any], folder: Path, found: Reader) -> None:
    shapes = entries(content["shapes"], "shapes")
    points = [shape for shape in shapes if shape.get("shape_type") == "point"]
    others = (shape.get("shape_type", "polygon") for shape in shapes)
    found.left_out.update(text_of(kind)[:40] for kind in others if kind != "point")
    if points:
        image = text_of(content.get("imagePath")).replace("\\", "/")
        key = found.open(posixpath.normpath(posixpath.join(folder.absolute().as_posix(), image)))
        found.size(key, content.get("imageHeight"), content.get("imageWidth"))
        for shape in points:
            _read_shape(shape, key, found)


def _read_shape(shape: dict[str, Any], key: FrameKey, found: Reader) -> None:
    match shape.get("points"):
        case [[x, y]]:
            annotator = shape.get("annotator", "")
            found.click(key, number(x, "x"), number(y, "y"), shape.get("label"), text_of(annotator))
        case other:
            raise ClickError(f"a point needs one position [[x, y]], found {reprlib.repr(other)}")
