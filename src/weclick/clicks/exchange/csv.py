"""Clicks as a table, one line each; the only format that knows frames by video and number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet
from weclick.clicks.exchange.common import at, parse, save_text, store_records
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.records import Click, ClickRecord, Size, validate_click, validate_key
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey
from weclick.errors import ClickError

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
    for record in records:
        name = store.classes[record.click.class_id].name
        writer.writerow((*record.key, record.click.x, record.click.y, name, record.annotator))
    save_text(path, text.getvalue())
    return len(records)


def import_csv(path: Path, store: ClickStore, pictures: Pictures, *, replace: bool = False) -> int:
    """Read clicks from CSV, all or none of them, and return their number; the frames become "done".

    Args:
        path: A file as :func:`export_csv` writes it; the columns may come in any order.
        store: Where to put the clicks.
        pictures: The data set's pictures.
        replace: Put the clicks in place of those the frames carry, instead of refusing such frames.

    Raises:
        ClickError: A line is malformed, or is about no frame of the data set or a place outside of its picture (the
            message names file and line), or a frame carries clicks already.
    """
    sizes: dict[FrameKey, Size] = {}
    records = list(_read(path, store.classes, pictures, sizes))
    store_records(records, sizes, store, path, replace)
    return len(records)


def _read(path: Path, classes: ClassSet, pictures: Pictures, sizes: dict[FrameKey, Size]) -> Iterator[ClickRecord]:
    """Yield the clicks of a file, and put the sizes of their pictures into ``sizes``."""
    try:
        # Spreadsheets put a byte order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.DictReader(stream, strict=True)
            if sorted(lines.fieldnames or ()) != sorted(CSV_COLUMNS):
                found = ", ".join(lines.fieldnames or ()) or "none"
                raise ClickError(f"{path}:1: found columns {found}; want {', '.join(CSV_COLUMNS)}")
            for line in lines:
                with at(f"{path}:{lines.reader.line_num}"):
                    record = _record(line, classes)
                    if record.key not in sizes:
                        sizes[record.key] = pictures.size(record.key)
                    validate_click(record.click, classes, sizes[record.key])
                    yield record
    except csv.Error as error:
        raise ClickError(f"{path}:{lines.reader.line_num}: {error}; nothing was imported") from None
    except UnicodeDecodeError:
        raise ClickError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from None
    except OSError as error:
        raise ClickError(f"{path} cannot be read: {error.strerror}") from None


def _record(line: dict[str, str], classes: ClassSet) -> ClickRecord:
    if None in line or None in line.values():
        raise ClickError(f"a line needs {len(CSV_COLUMNS)} fields")
    key = FrameKey(line["video"], parse(int, line["number"], "number"))
    click = Click(parse(float, line["x"], "x"), parse(float, line["y"], "y"), classes.index(line["class"]))
    validate_key(key)
    return ClickRecord(key, click, line["annotator"])
