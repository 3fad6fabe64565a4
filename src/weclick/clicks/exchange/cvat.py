"""The format "CVAT for images 1.1": one XML file with a ``points`` element per click.

Assumptions (https://docs.cvat.ai/docs/other/xml_format): positions are in pixels from the image's corner;
``points="x,y;x,y"`` holds one or more; pictures are identified by name; there are no annotators.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

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
from weclick.errors import ClickError


def export_cvat(store: ClickStore, path: Path, pictures: Pictures) -> int:
    """Write the clicks of all target frames for CVAT and return their number.

    Raises:
        ClickError: A frame has no picture, a name cannot be written in XML, or the file cannot be written.
    """
    frames = targets(store, pictures)
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    labels = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    _add_labels(labels, store.classes)
    for number, frame in enumerate(frames):
        _add_image(root, number, frame, store.classes)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    try:
        ET.fromstring(text)  # ElementTree writes control characters, which no parser accepts
    except (ET.ParseError, UnicodeEncodeError):
        raise ClickError(
            f"{path}: a file or class name contains a character that XML cannot hold; use another format"
        ) from None
    save_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')
    return sum(len(frame.clicks) for frame in frames)


def _add_labels(labels: ET.Element, classes: ClassSet) -> None:
    for entry in classes:
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = entry.name
        ET.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(*entry.color)
        ET.SubElement(label, "type").text = "points"
        ET.SubElement(label, "attributes")


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
    for image in root.iterfind("image"):
        with locate_errors(f"{path}: image {image.get('id', '?')[:20]} {image.get('name', '')[:200]!r}"):
            _read_image(image, reader)
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


def _read_image(image: ET.Element, reader: Reader) -> None:
    shapes = image.findall("points")
    reader.left_out.update(shape.tag[:40] for shape in image if shape.tag != "points")
    if not shapes:
        return
    key = reader.add_frame(image.get("name", ""))
    reader.check_size(key, *(parse(int, image.get(side, ""), side) for side in ("height", "width")))
    for shape in shapes:
        for point in shape.get("points", "").split(";"):
            x, comma, y = point.partition(",")
            if not comma:
                raise ClickError(f"found the point {point[:40]!r}, expected x,y")
            reader.add_click(key, parse(float, x, "x"), parse(float, y, "y"), shape.get("label"))
