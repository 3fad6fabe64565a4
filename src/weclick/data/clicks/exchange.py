"""Clicks to and from files of other tools; :data:`FORMATS` lists the formats by name."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from weclick.classes import ClassSet
from weclick.data.clicks.records import Click, ClickRecord, Size, validate_click, validate_key
from weclick.data.clicks.store import ClickStore
from weclick.errors import ClickError, DataError
from weclick.files import write_text
from weclick.frames import FrameKey

Number = TypeVar("Number", int, float)

CSV_COLUMNS: Final = ("video", "number", "x", "y", "class", "annotator")


def export_csv(store: ClickStore, path: Path) -> int:
    """Write the clicks of all target frames as CSV and return their number.

    One line per click with the columns video, number, x, y, class, annotator: x and y in source pixels, centres at
    integers; class by name. Skipped frames are left out.

    Raises:
        ClickError: The file cannot be written.
    """
    text = io.StringIO()
    # Quoting all text: by itself the writer leaves a bare carriage return unquoted, and no reader takes that back.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(CSV_COLUMNS)
    store.all_clicks()  # refuses what no reader could take
    records = store.records()
    for (video, number), (x, y, class_id), annotator in records:
        writer.writerow((video, number, x, y, store.classes[class_id].name, annotator))
    try:
        write_text(path, text.getvalue())
    except OSError as error:
        raise ClickError(f"{path} cannot be written: {error.strerror}; choose another path") from None
    return len(records)


def import_csv(path: Path, store: ClickStore, *, replace: bool = False) -> int:
    """Read clicks from CSV, all or none of them, and return their number; the frames become "done".

    Args:
        path: A file as :func:`export_csv` writes it; the columns may come in any order.
        store: Where to put the clicks.
        replace: Put the clicks in place of those the frames carry, instead of refusing such frames.

    Raises:
        ClickError: A line is malformed (the message names file and line), or a frame carries clicks already.
    """
    sizes = {key: frame.size for key, frame in store.frames().items()}
    records = list(_read_csv(path, store.classes, sizes))
    _store_records(records, store, path, replace)
    return len(records)


def _read_csv(path: Path, classes: ClassSet, sizes: dict[FrameKey, Size | None]) -> Iterator[ClickRecord]:
    try:
        # Spreadsheets put a byte order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.DictReader(stream, strict=True)
            if sorted(lines.fieldnames or ()) != sorted(CSV_COLUMNS):
                raise ClickError(f"{path}:1: found columns {lines.fieldnames}, want {', '.join(CSV_COLUMNS)}")
            for line in lines:
                try:
                    yield _record(line, classes, sizes)
                except DataError as error:
                    raise ClickError(f"{path}:{lines.reader.line_num}: {error}; nothing was imported") from None
    except csv.Error as error:
        raise ClickError(f"{path}:{lines.reader.line_num}: {error}; nothing was imported") from None
    except UnicodeDecodeError:
        raise ClickError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from None
    except OSError as error:
        raise ClickError(f"{path} cannot be read: {error.strerror}") from None


def _record(line: dict[str, str], classes: ClassSet, sizes: dict[FrameKey, Size | None]) -> ClickRecord:
    if None in line or None in line.values():
        raise ClickError(f"a line needs {len(CSV_COLUMNS)} fields")
    key = FrameKey(line["video"], _parse(int, line["number"], "number"))
    click = Click(_parse(float, line["x"], "x"), _parse(float, line["y"], "y"), classes.index(line["class"]))
    validate_key(key)
    validate_click(click, classes, sizes.get(key))
    return ClickRecord(key, click, line["annotator"])


def _parse(kind: Callable[[str], Number], text: str, column: str) -> Number:
    try:
        if "_" in text:  # Python would take 1_0 for 10
            raise ValueError
        return kind(text)
    except ValueError:
        raise ClickError(f"{column} is {text[:40]!r}, not a number") from None


def _store_records(records: list[ClickRecord], store: ClickStore, source: Path, replace: bool) -> None:
    keys = dict.fromkeys(record.key for record in records)
    with store.transaction():
        for key in keys:
            if store.clicks(key) and not replace:
                raise ClickError(f"{source}: frame {key} carries clicks in {store.path} already; nothing was imported")
            store.replace(key, [])
        for key, click, annotator in records:
            store.add(key, [click], annotator=annotator)
        store.note(imported=source.name)


class Format(NamedTuple):
    """How a file format is written and read; both return the number of clicks."""

    export: Callable[[ClickStore, Path], int]
    load: Callable[..., int]


FORMATS: Final = {"csv": Format(export_csv, import_csv)}
"""Formats by name; other tools' formats are added here."""
