"""Label Studio JSON: a list of tasks, one per picture, with KeyPointLabels results.

Assumptions (https://labelstud.io/tags/keypointlabels, https://labelstud.io/guide/task_format): x and y are percentages
of width and height from the image's corner. User numbers are only valid within one installation, so the annotator of a
click is written into the ``meta`` of its result.
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
from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError

_KIND: Final = "keypointlabels"
_LOCAL_FILES: Final = "/data/local-files/?d="
_UPLOADED: Final = re.compile(r"(?:^|(?<=/))[0-9a-f]{8}-(?=[^/]+$)")
"""Prefix of eight hex digits that Label Studio adds to the name of an uploaded file."""


def export_label_studio(store: ClickStore, path: Path, pictures: Pictures) -> int:
    """Write the clicks of all target frames as Label Studio tasks and return their number.

    The tasks refer to pictures in local storage, whose root must be the data set's root. The labelling interface must
    have ``<Image name="image" value="$image"/>`` and ``<KeyPointLabels name="label" toName="image">``.

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
    """Import key points of Label Studio tasks, all or none of them, and return their number; the frames become "done".

    Results of other types and cancelled annotations are counted and left out; predictions are ignored.

    Args:
        path: An export as "JSON".
        store: The store to add the clicks to.
        pictures: The data set's pictures; a task's picture may be an upload, a local file or a URL, and is matched by
            name.
        replace: Replace the clicks of frames that already have some, instead of refusing the file.

    Raises:
        ClickError: The file is not such an export, two people annotated one picture, or a task cannot be used (the
            message names it).
    """
    reader = Reader(path, store.classes, pictures)
    content = read_json(path)
    with locate_errors(str(path)):
        tasks = entries(content, "tasks")
    for position, task in enumerate(tasks, 1):
        with locate_errors(f"{path}: task {text_of(task.get('id', position))[:20]}"):
            _read_task(task, reader)
    return reader.save(store, replace=replace)


def _read_task(task: dict[str, Any], reader: Reader) -> None:
    if not isinstance(task.get("data"), dict) or "annotations" not in task:
        raise ClickError('it lacks data or annotations; export as "JSON", not as "JSON-MIN"')
    annotations = entries(task["annotations"], "annotations")
    kept = [annotation for annotation in annotations if not annotation.get("was_cancelled")]
    if len(kept) < len(annotations):
        reader.left_out["cancelled annotations"] += len(annotations) - len(kept)
    with_points = [(annotation, points) for annotation in kept if (points := _key_points(annotation, reader))]
    if len(with_points) > 1:
        raise ClickError(f"{len(with_points)} annotations of one picture have key points; keep one of them")
    for annotation, points in with_points:
        key = reader.add_frame(*_names(task["data"]))
        for result in points:
            _read_result(result, key, _user(annotation.get("completed_by")), reader)


def _key_points(annotation: dict[str, Any], reader: Reader) -> list[dict[str, Any]]:
    results = entries(annotation.get("result"), "result")
    reader.left_out.update(text_of(result.get("type"))[:40] for result in results if result.get("type") != _KIND)
    return [result for result in results if result.get("type") == _KIND]


def _read_result(result: dict[str, Any], key: FrameKey, user: str, reader: Reader) -> None:
    if result.get("image_rotation"):
        raise ClickError("the picture was rotated in Label Studio; rotate it back and click again")
    height, width = reader.check_size(key, result.get("original_height"), result.get("original_width"))
    match result.get("value"):
        case {"x": x, "y": y, "keypointlabels": [label]}:
            meta = result.get("meta")
            who = meta.get("annotator", user) if isinstance(meta, dict) else user
            reader.add_click(key, number(x, "x") / 100 * width, number(y, "y") / 100 * height, label, text_of(who))
        case other:
            raise ClickError(f"a key point needs x, y and one label, found {reprlib.repr(other)}")


def _user(completed_by: object) -> str:
    """Return the e-mail address of the user if the export contains it, else the user number."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return "" if completed_by is None else text_of(completed_by)


def _names(data: dict[str, Any]) -> tuple[str, str]:
    """Return possible names of a task's picture: as stated in the task, and without the prefix of an upload."""
    texts = [value for value in data.values() if isinstance(value, str)]
    # the labelling interface may use another variable than "image"; with a single text, that is the picture
    image = data.get("image", texts[0] if len(texts) == 1 else None)
    if not isinstance(image, str):
        raise ClickError("its data has no picture named image")
    try:
        url = urlsplit(image)
    except ValueError:
        raise ClickError(f"{image[:80]!r} is not the URL of a picture") from None
    local = parse_qs(url.query).get("d")
    name = unquote(url.path) if url.scheme or image.startswith("/data/") else image
    name = local[0] if local else name
    return name, _UPLOADED.sub("", name)
