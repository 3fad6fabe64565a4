"""The format "CVAT for images 1.1": one XML file with a ``points`` element per click.

Assumptions (https://docs.cvat.ai/docs/other/xml_format): positions are in pixels from the image's corner;
``points="x,y;x,y"`` holds one or more; pictures are identified by name; there are no annotators. The pictures of a video's task
are named by the frame's number from 0, ``frame_000012``, and the video is the task's ``source``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet
from weclick.clicks.exchange.common import (
    Reader,
    Target,
    from_corner,
    locate_errors,
    parse,
    read_text,
    save_text,
    targets,
)
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey
from weclick.errors import ClickError
from weclick.video import VIDEO_SUFFIXES

_VIDEO_FRAME: Final = re.compile(r"frame_([0-9]+)")


def export_cvat(store: ClickStore, path: Path, pictures: Pictures) -> int:
    """Write the clicks of all target frames for CVAT and return their number.

    Raises:
        ClickError: A frame has no picture, a name cannot be written in XML, or the file cannot be written.
    """
    frames = targets(store, pictures)
    root = empty_annotations(store.classes, "points")
    for number, frame in enumerate(frames):
        _add_image(root, number, frame, store.classes)
    save_xml(path, root)
    return sum(len(frame.clicks) for frame in frames)


def empty_annotations(classes: ClassSet, kind: str) -> ET.Element:
    """Return the root of a file, with a label of a kind (``points``, ``mask``) for each class and no image yet."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    labels = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for entry in classes:
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = entry.name
        ET.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(*entry.color)
        ET.SubElement(label, "type").text = kind
        ET.SubElement(label, "attributes")
    return root


def save_xml(path: Path, root: ET.Element) -> None:
    """Write a file for CVAT.

    Raises:
        ClickError: A name cannot be written in XML, or the file cannot be written.
    """
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    try:
        ET.fromstring(text)  # ElementTree writes control characters, which no parser accepts
    except (ET.ParseError, UnicodeEncodeError):
        raise ClickError(
            f"{path}: a file or class name contains a character that XML cannot hold; use another format"
        ) from None
    save_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')


def _add_image(root: ET.Element, number: int, frame: Target, classes: ClassSet) -> None:
    height, width = frame.size
    image = ET.SubElement(root, "image", id=str(number), name=frame.name, width=str(width), height=str(height))
    for record in frame.clicks:
        x, y = from_corner(record.click)
        label = classes[record.click.class_id].name
        ET.SubElement(image, "points", label=label, source="manual", occluded="0", points=f"{x},{y}", z_order="0")


def import_cvat(path: Path, store: ClickStore, pictures: Pictures, *, replace: bool = False) -> int:
    """Import points from CVAT, all or none of them, and return their number; the frames become "done".

    Every point of a ``points`` element is a click. Other shapes are counted and left out; pictures without points are
    ignored, even if the data set does not have them.

    Args:
        path: ``annotations.xml`` of an export as "CVAT for images 1.1".
        store: The store to add the clicks to.
        pictures: The data set's pictures.
        replace: Replace the clicks of frames that already have some, instead of refusing the file.

    Raises:
        ClickError: The file is not such an export, or an image, label or point in it cannot be used (the message names
            it).
    """
    root = _parse(path)
    if root.tag != "annotations":
        raise ClickError(f"{path} is not a CVAT file: its root is <{root.tag[:40]}>, not <annotations>")
    if root.find("track") is not None:
        raise ClickError(f'{path} contains tracks of a video; export it from CVAT as "CVAT for images 1.1"')
    reader = Reader(path, store.classes, pictures)
    videos = _videos(root)
    for image in root.iterfind("image"):
        with locate_errors(f"{path}: image {image.get('id', '?')[:20]} {image.get('name', '')[:200]!r}"):
            # the export of a project names the task of each picture, that of a single task does not
            _read_image(image, videos.get(image.get("task_id"), ""), reader)
    return reader.save(store, replace=replace)


def _parse(path: Path) -> ET.Element:
    text = read_text(path)
    # A DOCTYPE can declare entities, which may expand to gigabytes or read other files. The file is decoded as UTF-8,
    # whatever encoding it declares, so that another encoding cannot hide the DOCTYPE.
    if "<!DOCTYPE" in text:
        raise ClickError(f"{path} contains a DOCTYPE, which is not safe to read and which CVAT never writes; remove it")
    try:
        return ET.fromstring(text)
    except ET.ParseError as error:
        raise ClickError(f"{path} is not XML: {error}; export it again") from None


def _videos(root: ET.Element) -> dict[str | None, str]:
    """Return the name of each task's video by the task's id, and by None that of the only task."""
    tasks = [element for element in root.iterfind("meta//") if element.find("source") is not None]
    sources = {task.findtext("id"): Path(task.findtext("source", "")) for task in tasks}
    videos = {task: source.stem for task, source in sources.items() if source.suffix.lower() in VIDEO_SUFFIXES}
    return videos | {None: next(iter(videos.values()))} if len(videos) == len(sources) == 1 else videos


def _add_frame(name: str, video: str, reader: Reader) -> FrameKey:
    """Add the frame of a picture, which the task of a video names by its number."""
    number = _VIDEO_FRAME.fullmatch(name)
    if not (video and number):
        return reader.add_frame(name)
    key = reader.add_frame(f"{video}/{number[1]}", f"{video}/{name}", name)
    if key.video.rpartition("/")[2] != video:
        raise ClickError(f"its task is of the video {video}, not of {key.video}; give both the same name")
    return key


def _read_image(image: ET.Element, video: str, reader: Reader) -> None:
    shapes = image.findall("points")
    reader.left_out.update(shape.tag[:40] for shape in image if shape.tag != "points")
    if not shapes:
        return
    key = _add_frame(image.get("name", ""), video, reader)
    reader.check_size(key, *(parse(int, image.get(side, ""), side) for side in ("height", "width")))
    for shape in shapes:
        for point in shape.get("points", "").split(";"):
            x, comma, y = point.partition(",")
            if not comma:
                raise ClickError(f"found the point {point[:40]!r}, expected x,y")
            reader.add_click(key, parse(float, x, "x"), parse(float, y, "y"), shape.get("label"))
