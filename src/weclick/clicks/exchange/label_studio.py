"""Clicks as Label Studio exchanges them: a JSON list of tasks, one per picture, with KeyPointLabels results.

Assumed of the format (https://labelstud.io/tags/keypointlabels, https://labelstud.io/guide/task_format): x and y are
percentages of width and height from the image's corner. Users are known by numbers of one installation, so that a
click's annotator goes into the ``meta`` of its result instead.
"""

from __future__ import annotations

import re
import reprlib
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

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
from weclick.clicks.records import ClickRecord, Size
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey
from weclick.errors import ClickError

_KIND: Final = "keypointlabels"
_LOCAL_FILES: Final = "/data/local-files/?d="
_UPLOADED: Final = re.compile(r"(?:^|(?<=/))[0-9a-f]{8}-(?=[^/]+$)")
"""Label Studio puts eight hex digits before the name of an uploaded file."""


def export_label_studio(store: ClickStore, path: Path, pictures: Pictures) -> int:
    """Write the clicks of all target frames as Label Studio tasks and return their number.

    The tasks show pictures from local storage, whose root is to be the data set's. The labelling interface is to have
    ``<Image name="image" value="$image"/>`` and ``<KeyPointLabels name="label" toName="image">``.

    Raises:
        ClickError: A frame has no picture, or the file cannot be written.
    """
    frames = targets(store, pictures)
    save_text(path, to_json([_task(frame, store.classes) for frame in frames]))
    return sum(len(frame.clicks) for frame in frames)


def _task(frame: Target, classes: ClassSet) -> dict[str, Any]:
    results = [_result(f"click{i}", record, frame.size, classes) for i, record in enumerate(frame.clicks)]
    return {"data": {"image": _LOCAL_FILES + quote(frame.name)}, "annotations": [{"result": results}]}


def _result(name: str, record: ClickRecord, size: Size, classes: ClassSet) -> dict[str, Any]:
    x, y = from_corner(record.click)
    label = classes[record.click.class_id].name
    result = {
        "id": name,
        "type": _KIND,
        "from_name": "label",
        "to_name": "image",
        "original_width": size[1],
        "original_height": size[0],
        "image_rotation": 0,
        "value": {"x": 100 * x / size[1], "y": 100 * y / size[0], "width": 0.5, _KIND: [label]},
    }
    return {**result, "meta": {"annotator": record.annotator}} if record.annotator else result


def import_label_studio(path: Path, store: ClickStore, pictures: Pictures, *, replace: bool = False) -> int:
    """Read the key points of Label Studio tasks, all or none of them, and return their number; the frames become "done".

    Results of other kinds and cancelled annotations are counted and left out; predictions are not looked at.

    Args:
        path: An export as "JSON".
        store: Where to put the clicks.
        pictures: The data set's pictures; a task's picture may be an upload, a local file or an address, as long as its
            name is that of one of them.
        replace: Put the clicks in place of those the frames carry, instead of refusing such frames.

    Raises:
        ClickError: The file is no such export, two people annotated one picture, or a task cannot be used (the message
            names it).
    """
    found = Reader(path, store.classes, pictures)
    content = read_json(path)
    with at(str(path)):
        tasks = entries(content, "tasks")
    for place, task in enumerate(tasks, 1):
        with at(f"{path}: task {text_of(task.get('id', place))[:20]}"):
            _read_task(task, found)
    return found.store(store, replace=replace)


def _read_task(task: dict[str, Any], found: Reader) -> None:
    if not isinstance(task.get("data"), dict) or "annotations" not in task:
        raise ClickError('it lacks data or annotations; export as "JSON", not as "JSON-MIN"')
    annotations = entries(task["annotations"], "annotations")
    kept = [annotation for annotation in annotations if not annotation.get("was_cancelled")]
    if len(kept) < len(annotations):
        found.left_out["cancelled annotations"] += len(annotations) - len(kept)
    marked = [(annotation, _key_points(annotation, found)) for annotation in kept]
    marked = [(annotation, points) for annotation, points in marked if points]
    if len(marked) > 1:
        raise ClickError(f"{len(marked)} annotations of one picture hold key points; keep one of them")
    for annotation, points in marked:
        key = found.open(*_names(task["data"]))
        for result in points:
            _read_result(result, key, _user(annotation.get("completed_by")), found)


def _key_points(annotation: dict[str, Any], found: Reader) -> list[dict[str, Any]]:
    results = entries(annotation.get("result"), "result")
    found.left_out.update(text_of(result.get("type"))[:40] for result in results if result.get("type") != _KIND)
    return [result for result in results if result.get("type") == _KIND]


def _read_result(result: dict[str, Any], key: FrameKey, user: str, found: Reader) -> None:
    if result.get("image_rotation"):
        raise ClickError("the picture was turned there; turn it back and click again")
    height, width = found.size(key, result.get("original_height"), result.get("original_width"))
    match result.get("value"):
        case {"x": x, "y": y, "keypointlabels": [label]}:
            meta = result.get("meta")
            who = meta.get("annotator", user) if isinstance(meta, dict) else user
            found.click(key, number(x, "x") / 100 * width, number(y, "y") / 100 * height, label, text_of(who))
        case other:
            raise ClickError(f"a key point needs x, y and one label, found {reprlib.repr(other)}")


def _user(completed_by: object) -> str:
    """Return whom Label Studio names: by number, or by number and address."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return "" if completed_by is None else text_of(completed_by)


def _names(data: dict[str, Any]) -> tuple[str, str]:
    """Return what a task's picture may be called: as it is there, and as before its upload."""
    texts = [value for value in data.values() if isinstance(value, str)]
    image = data.get("image", texts[0] if len(texts) == 1 else None)
    if not isinstance(image, str):
        raise ClickError("its data names no picture as image")
    try:
        address = urlsplit(image)
    except ValueError:
        raise ClickError(f"{image[:80]!r} is no address of a picture") from None
    local = parse_qs(address.query).get("d")
    name = unquote(address.path) if address.scheme or image.startswith("/data/") else image
    name = local[0] if local else name
    return name, _UPLOADED.sub("", name)
