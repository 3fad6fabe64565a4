"""What a click store says of one frame, as rows of its tables. To be called inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import index
from typing import Final, NamedTuple

from weclick.clicks.records import Click, FrameRecord, Size, Status, TimedClick, validate_key
from weclick.conventions import FrameKey

FRAME_COLUMNS: Final = "status, annotator, height, width, updated, version, seconds"
"""What :func:`frame_record` takes."""


class Origin(NamedTuple):
    """Who made a click, and when: ISO time in UTC."""

    annotator: str
    created: str


def frame_record(
    status: Status, annotator: str, height: int | None, width: int | None, updated: str, version: int, seconds: float
) -> FrameRecord:
    """Return a row of ``FRAME_COLUMNS`` as a record."""
    size = None if height is None or width is None else (height, width)
    return FrameRecord(status, annotator, size, updated, version, seconds)


def row_key(key: FrameKey) -> tuple[str, int]:
    """Return a frame's key as the tables hold it.

    Raises:
        ClickError: It cannot be stored.
    """
    validate_key(key)
    return key.video, index(key.number)


def set_frame(
    db: sqlite3.Connection,
    key: FrameKey,
    status: Status,
    size: Size | None,
    annotator: str,
    seconds: float | None = None,
) -> None:
    """Set what is known of a frame, as a new version; no ``seconds`` leaves those that are stored."""
    values = (*row_key(key), status, annotator, *(size or (None, None)), _now())
    db.execute(
        """INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET
        status = excluded.status, annotator = excluded.annotator, height = excluded.height, width = excluded.width,
        updated = excluded.updated, version = version + 1, seconds = coalesce(?, seconds)""",
        (*values, seconds or 0.0, seconds),
    )


def remove_clicks(db: sqlite3.Connection, key: FrameKey, *, start: int = 0) -> dict[Click, Origin]:
    """Remove a frame's clicks from the one at ``start`` on; return whose they were."""
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
    """Add clicks to a frame, made now by ``annotator`` unless ``origins`` knows better."""
    origins, new = origins or {}, Origin(annotator, _now())
    rows = [
        (*row_key(key), float(click.x), float(click.y), index(click.class_id), *origins.get(click, new), seconds)
        for click, seconds in clicks
    ]
    columns = "video, number, x, y, class_id, annotator, created, seconds"
    db.executemany(f"INSERT INTO clicks ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def exchange_clicks(
    db: sqlite3.Connection,
    key: FrameKey,
    stored: Sequence[TimedClick],
    clicks: Sequence[TimedClick],
    annotator: str,
) -> None:
    """Put ``clicks`` in place of the ``stored`` ones of a frame; those that stay keep who made them, and when."""
    pairs = enumerate(zip(clicks, stored, strict=False))
    first = next((position for position, (new, old) in pairs if new != old), min(len(clicks), len(stored)))
    append_clicks(db, key, clicks[first:], annotator, remove_clicks(db, key, start=first))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
