"""CSV, one line per click; the only format that identifies frames by video and number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet
from weclick.clicks.exchange.common import locate_errors, parse, save_text, store_records
from weclick.clicks.exchange.pictures import Pictures
from weclick.clicks.records import Click, ClickRecord, validate_click, validate_key
from weclick.clicks.store import ClickStore
from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError

CSV_COLUMNS: Final = ("video", "number", "x", "y", "class", "annotator")


def export_csv(store: ClickStore, path: Path) -> int:
    """Write the clicks of all target frames as CSV and return their number.

    Columns: video, number, x and y (source pixels, pixel centres at integers), class (its name), annotator.

    Raises:
        ClickError: The file cannot be written.
    """
    text = io.StringIO()
    # Quote all text: by default the writer leaves a single carriage return unquoted, which readers take for a new line.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(CSV_COLUMNS)
    store.all_clicks()  # raises on invalid clicks, which no importer accepts
    records = store.records()
    for record in records:
        name = store.classes[record.click.class_id].name
        writer.writerow((*record.key, record.click.x, record.click.y, name, record.annotator))
    save_text(path, text.getvalue())
    return len(records)


def import_csv(path: Path, store: ClickStore, pictures: Pictures, *, replace: bool = False) -> int:
    """Import clicks from CSV, all or none of them, and return their number; the frames become "done".

    Args:
        path: A file as written by :func:`export_csv`, with the columns in any order.
        store: The store to add the clicks to.
        pictures: The data set's pictures.
        replace: Replace the clicks of frames that already have some, instead of refusing the file.

    Raises:
        ClickError: A line is malformed, or its frame is unknown or its point outside of the picture (the message names
            file and line), or a frame already has clicks.
    """
    sizes: dict[FrameKey, Size] = {}
    records = list(_read(path, store.classes, pictures, sizes))
    store_records(records, sizes, store, path, replace)
    return len(records)


def _read(path: Path, classes: ClassSet, pictures: Pictures, sizes: dict[FrameKey, Size]) -> Iterator[ClickRecord]:
    """Yield the clicks of a file, and fill ``sizes`` with the sizes of their pictures."""
    try:
        # -sig: spreadsheets put a byte order mark in front
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.DictReader(stream, strict=True)
            if sorted(lines.fieldnames or ()) != sorted(CSV_COLUMNS):
                columns = ", ".join(lines.fieldnames or ()) or "none"
                raise ClickError(f"{path}:1: found columns {columns}; expected {', '.join(CSV_COLUMNS)}")
            for line in lines:
                with locate_errors(f"{path}:{lines.reader.line_num}"):
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
    # DictReader collects extra fields under the key None, and fills missing ones with None
    if None in line or None in line.values():
        raise ClickError(f"a line needs {len(CSV_COLUMNS)} fields")
    key = FrameKey(line["video"], parse(int, line["number"], "number"))
    click = Click(parse(float, line["x"], "x"), parse(float, line["y"], "y"), classes.index(line["class"]))
    validate_key(key)
    return ClickRecord(key, click, line["annotator"])
