"""Shared by all formats: which clicks are exported, and how imported clicks are checked and stored.

Convention: in other tools the origin is the outer corner of the upper left pixel, and an image covers 0..W. In ours it
is the centre of that pixel, and an image covers -0.5..W - 0.5 (:mod:`weclick.clicks.records`). The conversion, half a
pixel, is done here.
"""

from __future__ import annotations

import json
import logging
import reprlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from weclick.classes import ClassSet
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.records import Click, ClickRecord, validate_click
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError, DataError
from weclick.files import write_text

Number = TypeVar("Number", int, float)

DIGITS: Final = 6
"""Decimals of a position, in pixels: rounding restores whole numbers after conversion to percentages and back."""

BORDER: Final = 1e-3
"""Points at most this far outside the image, in pixels, count as points on its border."""

_log = logging.getLogger(__name__)


class Target(NamedTuple):
    """A target frame to export: name and size (H, W) of its picture, and its clicks."""

    key: FrameKey
    name: str
    size: Size
    clicks: list[ClickRecord]


def targets(store: ClickStore, pictures: Pictures) -> list[Target]:
    """Return the target frames with their clicks, in order.

    Raises:
        ClickError: A frame has no picture, or a click is invalid or outside of it.
        DataError: The size of a picture is not stored and cannot be read.
    """
    store.all_clicks()  # raises on invalid clicks, which no importer accepts
    frames, result = store.frames(), []
    for key, group in groupby(store.records(), lambda record: record.key):
        size, clicks = frames[key].size or pictures.size(key), list(group)
        try:
            for record in clicks:
                validate_click(record.click, store.classes, size)
        except ClickError as error:
            raise ClickError(f"{store.path}: frame {key}: {error}; see `weclick clicks check`") from None
        result.append(Target(key, pictures.name(key), size, clicks))
    return result


def from_corner(click: Click) -> tuple[float, float]:
    """Return (x, y) of a click relative to the image's corner, as other tools measure."""
    return round(click.x + 0.5, DIGITS), round(click.y + 0.5, DIGITS)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Convert errors of writing in the block to a ClickError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise ClickError(f"{path} cannot be written: {error.strerror}; choose another path") from None
    except UnicodeEncodeError:
        raise ClickError(f"{path} cannot be written: a file or class name is not valid Unicode; rename it") from None


def save_text(path: Path, text: str) -> None:
    """Write a file completely or not at all.

    Raises:
        ClickError: The file cannot be written.
    """
    with writing(path):
        write_text(path, text)


def to_json(value: object) -> str:
    """Return indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_text(path: Path) -> str:
    """Read UTF-8 text.

    Raises:
        ClickError: The file cannot be read or is not UTF-8.
    """
    try:
        # -sig: Windows programs put a byte order mark in front
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ClickError(f"{path} is not UTF-8 text; export it again") from None
    except OSError as error:
        raise ClickError(f"{path} cannot be read: {error.strerror}") from None


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever is in the file
    """Read a JSON file.

    Raises:
        ClickError: The file cannot be read or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ClickError(f"{path} is not JSON: {error}; export it again") from None


def entries(value: object, what: str) -> list[dict[str, Any]]:
    """Return ``value`` if it is a list of JSON objects, else raise a ClickError that starts with ``what``."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        other = next(entry for entry in value if not isinstance(entry, dict)) if isinstance(value, list) else value
        # shortened again: of the objects in a list it would show hundreds of characters
        raise ClickError(f"{what} must be a list of objects, found {reprlib.repr(other)[:80]}")
    return value


def text_of(value: object) -> str:
    """Return text unchanged and any other JSON value in a shortened form."""
    # not str(): it exceeds the recursion limit on deeply nested JSON
    return value if isinstance(value, str) else reprlib.repr(value)


def parse(kind: Callable[[str], Number], text: str, what: str) -> Number:
    """Convert text to a number, or raise a ClickError that starts with ``what``."""
    try:
        if "_" in text:  # Python reads 1_0 as 10
            raise ValueError
        return kind(text)
    except ValueError:
        raise ClickError(f"{what} is {text[:40]!r}, not a number") from None


def number(value: object, what: str) -> float:
    """Convert a JSON number to a float, or raise a ClickError that starts with ``what``."""
    try:
        # bool is a subclass of int
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        return float(value)
    except (TypeError, OverflowError):
        raise ClickError(f"{what} is {reprlib.repr(value)}, not a number") from None


@contextmanager
def locate_errors(place: str) -> Iterator[None]:
    """Put ``place``, the file and the position in it, in front of error messages raised in the block."""
    try:
        yield
    except DataError as error:
        raise ClickError(f"{place}: {error}; nothing was imported") from None


class Reader:
    """Collects the clicks of a file and what was left out, and stores the clicks once the whole file is valid."""

    def __init__(self, path: Path, classes: ClassSet, pictures: Pictures) -> None:
        self.path = path
        self.left_out: Counter[str] = Counter()
        self._classes = classes
        self._pictures = pictures
        self._records: list[ClickRecord] = []
        self._sizes: dict[FrameKey, Size] = {}

    def add_frame(self, *names: str) -> FrameKey:
        """Add the frame that one of these picture names refers to, before its clicks.

        Raises:
            ClickError: No picture or several pictures match, or the frame was added before.
        """
        key = self._pictures.key(*names)
        if key in self._sizes:
            raise ClickError(f"picture {names[0]!r} is frame {key}, which has points here twice; keep one of the two")
        self._sizes[key] = self._pictures.size(key)
        return key

    def check_size(self, key: FrameKey, height: object, width: object) -> Size:
        """Return the (H, W) of a frame, after comparing it with the size in the file, if that is given.

        Raises:
            ClickError: The sizes differ; the usual cause is that resized pictures were clicked.
        """
        size = self._sizes[key]
        if (height, width) not in (size, (None, None)):
            stated = f"{reprlib.repr(width)}x{reprlib.repr(height)}"
            raise ClickError(
                f"the picture is {stated} in the file but {size[1]}x{size[0]} here; click on pictures of that size"
            )
        return size

    def add_click(self, key: FrameKey, x: float, y: float, label: object, annotator: str = "") -> None:
        """Add a click at (x, y), in pixels from the image's corner.

        Raises:
            DataError: The class is unknown, or the point is outside the image.
        """
        if not isinstance(label, str):
            raise ClickError(f"point at ({x}, {y}) has {reprlib.repr(label)} instead of a class name")
        height, width = self._sizes[key]
        click = Click(_to_center(x, width), _to_center(y, height), self._classes.index(label))
        validate_click(click, self._classes, (height, width))
        self._records.append(ClickRecord(key, click, annotator))

    def save(self, store: ClickStore, *, replace: bool) -> int:
        """Store all clicks, log what was left out, and return the number of clicks."""
        store_records(self._records, self._sizes, store, self.path, replace)
        if self.left_out:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.left_out.items()))
            _log.warning("%s: left out: %s", self.path, kinds)
        return len(self._records)


def _to_center(value: float, length: int) -> float:
    # a point on the right or lower border, at W or H, would fall on the first pixel outside
    if -BORDER <= value <= length + BORDER:
        value = min(max(value, 0.0), length - 10.0**-DIGITS)
    return round(value - 0.5, DIGITS)


def store_records(
    records: Sequence[ClickRecord], sizes: Mapping[FrameKey, Size], store: ClickStore, source: Path, replace: bool
) -> None:
    """Store all clicks in one transaction and mark their frames as "done".

    Raises:
        ClickError: A frame already has clicks and ``replace`` is not set.
    """
    by_frame: dict[FrameKey, list[ClickRecord]] = {}
    for record in records:
        by_frame.setdefault(record.key, []).append(record)
    with store.transaction():
        for key, own in by_frame.items():
            if store.clicks(key) and not replace:
                raise ClickError(
                    f"{source}: frame {key} already has clicks in {store.path}; nothing was imported "
                    "(--replace true replaces them)"
                )
            # one call takes one annotator: the first replaces the stored clicks, the others add to them
            for position, (annotator, group) in enumerate(groupby(own, lambda record: record.annotator)):
                write = store.add if position else store.replace
                write(key, [record.click for record in group], size=sizes.get(key), annotator=annotator)
        store.note(imported=source.name)
