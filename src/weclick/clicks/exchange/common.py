"""What all formats share: which clicks are written, and how clicks are read, checked and stored.

Convention: other tools measure from the outer corner of the upper left pixel, so that an image covers 0..W; ours cover
-0.5..W - 0.5 (:mod:`weclick.clicks.records`). The half pixel between the two is added and taken away here.
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
from weclick.clicks.records import Click, ClickRecord, Size, validate_click
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey
from weclick.errors import ClickError, DataError
from weclick.files import write_text

Number = TypeVar("Number", int, float)

DIGITS: Final = 6
"""Positions are rounded to a millionth of a pixel, so that whole numbers survive percentages and half pixels."""

BORDER: Final = 1e-3
"""Points so little outside the image, in pixels, were set on its border, and belong to the pixel there."""

_log = logging.getLogger(__name__)


class Target(NamedTuple):
    """A target frame as it is written: its picture's name, its size (H, W), its clicks."""

    key: FrameKey
    name: str
    size: Size
    clicks: list[ClickRecord]


def targets(store: ClickStore, pictures: Pictures) -> list[Target]:
    """Return the target frames in order; skipped ones are left out.

    Raises:
        ClickError: A frame has no picture, or a click lies outside of it.
        DataError: The size of a picture is not known and cannot be read.
    """
    store.all_clicks()  # refuses what no reader could take
    sizes = {key: frame.size for key, frame in store.frames().items()}
    found: dict[FrameKey, list[ClickRecord]] = {}
    for record in store.records():
        found.setdefault(record.key, []).append(record)
    return [_target(key, clicks, store, sizes[key] or pictures.size(key), pictures) for key, clicks in found.items()]


def _target(key: FrameKey, clicks: list[ClickRecord], store: ClickStore, size: Size, pictures: Pictures) -> Target:
    for record in clicks:
        try:
            validate_click(record.click, store.classes, size)
        except ClickError as error:
            raise ClickError(f"{store.path}: frame {key}: {error}; see `weclick clicks check`") from None
    return Target(key, pictures.name(key), size, clicks)


def from_corner(click: Click) -> tuple[float, float]:
    """Return a click's (x, y) as other tools measure it, from the image's corner."""
    return round(click.x + 0.5, DIGITS), round(click.y + 0.5, DIGITS)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong when writing into a ClickError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise ClickError(f"{path} cannot be written: {error.strerror}; choose another path") from None
    except UnicodeEncodeError:
        raise ClickError(f"{path} cannot be written: a file or class name is no text; rename it") from None


def save_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        ClickError: The file cannot be written.
    """
    with writing(path):
        write_text(path, text)


def to_json(value: object) -> str:
    """Return readable JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_text(path: Path) -> str:
    """Read UTF-8 text.

    Raises:
        ClickError: The file cannot be read or is no such text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ClickError(f"{path} is not UTF-8 text; export it again") from None
    except OSError as error:
        raise ClickError(f"{path} cannot be read: {error.strerror}") from None


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever is in the file
    """Read a JSON file.

    Raises:
        ClickError: The file cannot be read or is no JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ClickError(f"{path} is no JSON: {error}; export it again") from None


def entries(value: object, what: str) -> list[dict[str, Any]]:
    """Take ``value`` for a list of JSON objects, or refuse it."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ClickError(f"{what} must be a list of objects, found {reprlib.repr(value)}")
    return value


def text_of(value: object) -> str:
    """Return what is in a file as text: text itself, anything else shortened; JSON may lie too deep for ``str``."""
    return value if isinstance(value, str) else reprlib.repr(value)


def parse(kind: Callable[[str], Number], text: str, what: str) -> Number:
    """Read a number from text, or refuse it."""
    try:
        if "_" in text:  # Python would take 1_0 for 10
            raise ValueError
        return kind(text)
    except ValueError:
        raise ClickError(f"{what} is {text[:40]!r}, not a number") from None


def number(value: object, what: str) -> float:
    """Take a JSON value for a number, or refuse it."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        return float(value)
    except (TypeError, OverflowError):
        raise ClickError(f"{what} is {reprlib.repr(value)}, not a number") from None


@contextmanager
def at(place: str) -> Iterator[None]:
    """Say in a refusal which file, and where in it, it is about."""
    try:
        yield
    except DataError as error:
        raise ClickError(f"{place}: {error}; nothing was imported") from None


class Reader:
    """Collects the clicks of a file and what was left out, and stores them once all of it has proved good."""

    def __init__(self, path: Path, classes: ClassSet, pictures: Pictures) -> None:
        self.path = path
        self.left_out: Counter[str] = Counter()
        self._classes = classes
        self._pictures = pictures
        self._records: list[ClickRecord] = []
        self._sizes: dict[FrameKey, Size] = {}

    def open(self, *names: str) -> FrameKey:
        """Find the frame that clicks are about to be added to.

        Raises:
            ClickError: The name is not that of one picture, or the frame was opened before.
        """
        key = self._pictures.key(*names)
        if key in self._sizes:
            raise ClickError(f"picture {names[0]!r} is frame {key}, which has points here twice; keep one of the two")
        self._sizes[key] = self._pictures.size(key)
        return key

    def size(self, key: FrameKey, height: object, width: object) -> Size:
        """Return the (H, W) of an opened frame, which the file must agree with where it says something.

        Raises:
            ClickError: The file tells another size; the usual cause is that resized pictures were clicked.
        """
        own = self._sizes[key]
        if (height, width) not in (own, (None, None)):
            found = f"{reprlib.repr(width)}x{reprlib.repr(height)}"
            raise ClickError(f"the picture was {found} there but is {own[1]}x{own[0]}; click on pictures of that size")
        return own

    def click(self, key: FrameKey, x: float, y: float, label: object, annotator: str = "") -> None:
        """Add a click at (x, y), in pixels from the image's corner.

        Raises:
            DataError: The class is unknown, or the place outside the image.
        """
        if not isinstance(label, str):
            raise ClickError(f"point at ({x}, {y}) has no class name but {reprlib.repr(label)}")
        height, width = self._sizes[key]
        click = Click(_to_center(x, width), _to_center(y, height), self._classes.index(label))
        validate_click(click, self._classes, (height, width))
        self._records.append(ClickRecord(key, click, annotator))

    def store(self, store: ClickStore, *, replace: bool) -> int:
        """Store all clicks and return their number; tell what was left out."""
        store_records(self._records, self._sizes, store, self.path, replace)
        if self.left_out:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.left_out.items()))
            _log.warning("%s: left out: %s", self.path, kinds)
        return len(self._records)


def _to_center(value: float, length: int) -> float:
    if -BORDER <= value <= length + BORDER:
        value = min(max(value, 0.0), length - 10.0**-DIGITS)
    return round(value - 0.5, DIGITS)


def store_records(
    records: Sequence[ClickRecord], sizes: Mapping[FrameKey, Size], store: ClickStore, source: Path, replace: bool
) -> None:
    """Store all clicks in one transaction; their frames become "done".

    Raises:
        ClickError: A frame carries clicks already and ``replace`` is not set.
    """
    by_frame: dict[FrameKey, list[ClickRecord]] = {}
    for record in records:
        by_frame.setdefault(record.key, []).append(record)
    with store.transaction():
        for key, own in by_frame.items():
            if store.clicks(key) and not replace:
                raise ClickError(
                    f"{source}: frame {key} carries clicks in {store.path} already; nothing was imported "
                    "(--replace true puts these in their place)"
                )
            put = store.replace
            for annotator, run in groupby(own, lambda record: record.annotator):
                put(key, [record.click for record in run], size=sizes.get(key), annotator=annotator)
                put = store.add
        store.note(imported=source.name)
