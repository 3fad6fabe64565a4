"""Read and write the rows of one frame in a click store. Call these functions inside a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import index
from pathlib import Path
from typing import Final, NamedTuple

import cv2

from weclick.classes import ClassSet
from weclick.clicks.records import (
    AcceptedLabel,
    Answers,
    Click,
    FrameRecord,
    Status,
    TimedClick,
    validate_key,
    validate_label,
)
from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError, DataError
from weclick.images import decode

FRAME_COLUMNS: Final = "status, annotator, height, width, updated, version, seconds"
"""Columns that :func:`frame_record` takes, in this order."""


class Origin(NamedTuple):
    """Who made a click, and when (ISO time in UTC)."""

    annotator: str
    created: str


def frame_record(
    status: Status, annotator: str, height: int | None, width: int | None, updated: str, version: int, seconds: float
) -> FrameRecord:
    """Convert a row of ``FRAME_COLUMNS`` to a record."""
    size = None if height is None or width is None else (height, width)
    return FrameRecord(status, annotator, size, updated, version, seconds)


def row_key(key: FrameKey) -> tuple[str, int]:
    """Return the values of the columns ``video`` and ``number``.

    Raises:
        ClickError: The key cannot be stored.
    """
    validate_key(key)
    # sqlite3 would store numpy integers as blobs
    return key.video, index(key.number)


def set_frame(
    db: sqlite3.Connection,
    key: FrameKey,
    status: Status,
    size: Size | None,
    annotator: str,
    seconds: float | None = None,
) -> None:
    """Store a new version of a frame's record; ``seconds=None`` keeps the stored seconds."""
    values = (*row_key(key), status, annotator, *(size or (None, None)), _now())
    # one statement for both cases, so that the version also counts up for frames that are already stored
    db.execute(
        """INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET
        status = excluded.status, annotator = excluded.annotator, height = excluded.height, width = excluded.width,
        updated = excluded.updated, version = version + 1, seconds = coalesce(?, seconds)""",
        (*values, seconds or 0.0, seconds),
    )


def remove_clicks(db: sqlite3.Connection, key: FrameKey, *, start: int = 0) -> dict[Click, Origin]:
    """Remove a frame's clicks from position ``start`` on, and return their origins."""
    rows = db.execute(
        """DELETE FROM clicks WHERE id IN
        (SELECT id FROM clicks WHERE video = ? AND number = ? ORDER BY id LIMIT -1 OFFSET ?)
        RETURNING x, y, class_id, annotator, created""",
        (*row_key(key), start),
    )
    return {Click(*place): Origin(annotator, created) for *place, annotator, created in rows.fetchall()}


def append_clicks(
    db: sqlite3.Connection,
    key: FrameKey,
    clicks: Iterable[TimedClick],
    annotator: str,
    origins: dict[Click, Origin] | None = None,
) -> None:
    """Add clicks to a frame. Those without an entry in ``origins`` are recorded as made now by ``annotator``."""
    origins, new = origins or {}, Origin(annotator, _now())
    rows = [
        (*row_key(key), float(click.x), float(click.y), index(click.class_id), *origins.get(click, new), seconds)
        for click, seconds in clicks
    ]
    columns = "video, number, x, y, class_id, annotator, created, seconds"
    db.executemany(f"INSERT INTO clicks ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def set_label(db: sqlite3.Connection, key: FrameKey, label: AcceptedLabel, annotator: str) -> None:
    """Store the accepted label of a frame, in place of an earlier one."""
    pictures = [cv2.imencode(".png", picture)[1].tobytes() for picture in (label.ids, label.confidence)]
    columns = "video, number, ids, confidence, probe, annotator, created"
    values = (*row_key(key), *pictures, label.probe, annotator, _now())
    db.execute(f"INSERT OR REPLACE INTO labels ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def label_of(db: sqlite3.Connection, key: FrameKey, classes: ClassSet, size: Size | None) -> AcceptedLabel | None:
    """Return the accepted label of a frame of a size, or None.

    Raises:
        ClickError: It is damaged.
    """
    query = "SELECT ids, confidence, probe FROM labels WHERE video = ? AND number = ?"
    row = db.execute(query, row_key(key)).fetchone()
    if row is None:
        return None
    try:
        ids, confidence = (decode(raw, cv2.IMREAD_UNCHANGED, Path(f"label of {key}")) for raw in row[:2])
        label = AcceptedLabel(ids, confidence, row[2])
        validate_label(label, classes, size)
    except (DataError, ClickError):
        raise ClickError(f"the accepted label of frame {key} is damaged; accept it again") from None
    return label


def remove_label(db: sqlite3.Connection, key: FrameKey) -> None:
    """Remove the accepted label of a frame, if it has one."""
    db.execute("DELETE FROM labels WHERE video = ? AND number = ?", row_key(key))


def set_answers(db: sqlite3.Connection, key: FrameKey, answers: Answers | None, annotator: str) -> None:
    """Store what a person said about the classes of a frame, in place of earlier answers; None if nobody was asked."""
    db.execute("DELETE FROM asked WHERE video = ? AND number = ?", row_key(key))
    if answers is not None:
        values = (*row_key(key), json.dumps(dict(sorted(answers.items()))), annotator, _now())
        db.execute("INSERT INTO asked (video, number, answers, annotator, created) VALUES (?, ?, ?, ?, ?)", values)


def answers_from(text: str, classes: ClassSet) -> Answers:
    """Convert the column ``answers``; what another program may have stored, but is not an answer, is left out."""
    answers = {int(key): present for key, present in json.loads(text).items() if key.isdecimal()}
    return {
        class_id: present
        for class_id, present in answers.items()
        if class_id < len(classes) and (present is None or isinstance(present, bool))
    }


def update_clicks(
    db: sqlite3.Connection,
    key: FrameKey,
    stored: Sequence[TimedClick],
    clicks: Sequence[TimedClick],
    annotator: str,
) -> None:
    """Replace the ``stored`` clicks of a frame; clicks that are in both lists keep their annotator and time."""
    # The id is the order. Rows before the first difference stay as they are, the rest is written again: a typical
    # save adds one click, so one row is written.
    pairs = enumerate(zip(clicks, stored, strict=False))
    first = next((position for position, (new, old) in pairs if new != old), min(len(clicks), len(stored)))
    append_clicks(db, key, clicks[first:], annotator, remove_clicks(db, key, start=first))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
