"""labelme: a folder with one JSON file per picture, and shapes of the type "point".

Assumptions (labelme 5, ``labelme/label_file.py``): positions are in pixels from the image's corner; ``imagePath`` is
relative to the folder of the JSON file; labelme keeps unknown keys of a shape, which we use for ``annotator``.
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
    entries,
    from_corner,
    locate_errors,
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
from weclick.errors import ClickError
from weclick.files import atomic_path

VERSION: Final = "5.5.0"
"""Version of labelme written into the files."""


def export_labelme(store: ClickStore, path: Path, pictures: Pictures) -> int:
    """Write one labelme file per target frame into the folder ``path`` and return the number of clicks.

    The folders in ``path`` are those of the data set. If ``path`` is the data set's root, each file is written beside its
    picture, where labelme expects it.

    Raises:
        ClickError: A frame has no picture, two pictures differ only in their suffix, a file already exists (it may
            contain other people's shapes), or cannot be written.
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
            picture = Path(os.path.relpath(pictures.path(frame.key).resolve(), file.parent.resolve()))
            text = to_json(_content(frame, picture, store.classes))
            # not durable: syncing thousands of small files takes minutes, and an export can be repeated
            with atomic_path(file, durable=False) as temporary:
                temporary.write_text(text, encoding="utf-8")
    return sum(len(frame.clicks) for frame in frames.values())


def _content(frame: Target, picture: Path, classes: ClassSet) -> dict[str, Any]:
    return {
        "version": VERSION,
        "flags": {},
        "shapes": [_shape(record, classes) for record in frame.clicks],
        "imagePath": picture.as_posix(),
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
    """Import the points of labelme files, all or none of them, and return their number; the frames become "done".

    Other shapes, and other JSON files, are counted and left out.

    Args:
        path: One file, or a folder, which is searched recursively.
        store: The store to add the clicks to.
        pictures: The data set's pictures.
        replace: Replace the clicks of frames that already have some, instead of refusing the files.

    Raises:
        ClickError: There is no labelme file, or one cannot be used (the message names it).
    """
    reader = Reader(path, store.classes, pictures)
    files = sorted(file for file in path.rglob("*.json") if not file.name.startswith(".")) if path.is_dir() else [path]
    used = 0
    for file in files:
        content = read_json(file)
        if isinstance(content, dict) and "shapes" in content:
            used += 1
            with locate_errors(str(file)):
                _read_file(content, file.parent, reader)
        else:
            reader.left_out["JSON files of another kind"] += 1
    if not used:
        raise ClickError(f"{path} contains no labelme file; name the folder that labelme writes to")
    return reader.save(store, replace=replace)


def _read_file(content: dict[str, Any], folder: Path, reader: Reader) -> None:
    shapes = entries(content["shapes"], "shapes")
    points = [shape for shape in shapes if shape.get("shape_type") == "point"]
    others = (shape.get("shape_type", "polygon") for shape in shapes)
    reader.left_out.update(text_of(kind)[:40] for kind in others if kind != "point")
    if not points:
        return
    # Windows separators, whatever system this is; the file's own folder tells apart pictures of the same name
    image = text_of(content.get("imagePath")).replace("\\", "/")
    key = reader.add_frame(posixpath.normpath(posixpath.join(folder.absolute().as_posix(), image)))
    reader.check_size(key, content.get("imageHeight"), content.get("imageWidth"))
    for shape in points:
        match shape.get("points"):
            case [[x, y]]:
                annotator = text_of(shape.get("annotator", ""))
                reader.add_click(key, number(x, "x"), number(y, "y"), shape.get("label"), annotator)
            case other:
                raise ClickError(f"a point needs one position [[x, y]], found {reprlib.repr(other)}")
