"""What can be read from a click store."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Container
from pathlib import Path
from typing import Any

from weclick.classes import ClassSet
from weclick.clicks.records import (
    UNKNOWN,
    AcceptedLabel,
    Answers,
    Click,
    ClickRecord,
    FrameRecord,
    Progress,
    Status,
    TimedClick,
    validate_click,
)
from weclick.clicks.rows import FRAME_COLUMNS, answers_from, frame_record, label_of, row_key
from weclick.clicks.sqlite import HELD_OUT, clear_errors
from weclick.conventions import FrameKey
from weclick.errors import ClickError


class ClickQueries:
    """The part of :class:`weclick.clicks.store.ClickStore` that changes nothing.

    Args:
        db: Open connection.
        path: Its file.
        classes: The data set's classes.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, classes: ClassSet) -> None:
        self._db, self.path, self.classes = db, path, classes

    def label(self, key: FrameKey) -> AcceptedLabel | None:
        """Return the accepted label of a frame, or None.

        Raises:
            ClickError: It is damaged.
        """
        with clear_errors(self.path):
            return label_of(self._db, key, self.classes, self.frame(key).size)

    def has_label(self, key: FrameKey) -> bool:
        """Return whether a frame has an accepted label."""
        return bool(self._rows("SELECT 1 FROM labels WHERE video = ? AND number = ?", row_key(key)))

    def accepted(self) -> list[FrameKey]:
        """Return the frames with an accepted label; skipped frames have none."""
        return [FrameKey(*row) for row in self._rows("SELECT video, number FROM labels ORDER BY video, number")]

    def held_out(self) -> frozenset[FrameKey]:
        """Return the frames that this copy of a store holds out from training.

        Raises:
            ClickError: The list is damaged.
        """
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (HELD_OUT,))
        try:
            return frozenset(
                FrameKey(str(video), int(number)) for video, number in json.loads(rows[0][0] if rows else "[]")
            )
        except (ValueError, TypeError, RecursionError):
            raise ClickError(f"{self.path}: the list of held-out frames is damaged; restore a copy") from None

    def answers(self, key: FrameKey) -> Answers | None:
        """Return what was answered about the classes of a frame; None if nobody was asked."""
        rows = self._rows("SELECT answers FROM asked WHERE video = ? AND number = ?", row_key(key))
        return answers_from(rows[0][0], self.classes) if rows else None

    def all_answers(self) -> dict[FrameKey, Answers]:
        """Return the answers about all frames that somebody was asked about."""
        rows = self._rows("SELECT video, number, answers FROM asked ORDER BY video, number")
        return {FrameKey(video, number): answers_from(text, self.classes) for video, number, text in rows}

    @property
    def provenance(self) -> dict[str, str]:
        """Entries recorded by :meth:`note`, such as the rule and seed of a simulation."""
        return dict(self._rows("SELECT key, value FROM provenance ORDER BY key"))

    def clicks(self, key: FrameKey) -> list[Click]:
        """Return the clicks of one frame, with any status, in the order they were made, those on unknown included."""
        return [click for click, _ in self.timed_clicks(key)]

    def timed_clicks(self, key: FrameKey) -> list[TimedClick]:
        """Return the clicks of one frame with the time each took."""
        query = "SELECT x, y, class_id, seconds FROM clicks WHERE video = ? AND number = ? ORDER BY id"
        return [TimedClick(Click(*row), seconds) for *row, seconds in self._rows(query, row_key(key))]

    def records(self) -> list[ClickRecord]:
        """Return all clicks of target frames with frame and annotator, ordered by frame; those on unknown are left out."""
        rows = self._rows(
            """SELECT video, number, clicks.annotator, x, y, class_id FROM clicks JOIN frames USING (video, number)
            WHERE status != 'skipped' AND class_id != ? ORDER BY video, number, id""",
            (UNKNOWN,),
        )
        return [ClickRecord(FrameKey(video, number), Click(*click), who) for video, number, who, *click in rows]

    def unknown(self) -> int:
        """Return the number of clicks on unknown on target frames."""
        query = (
            "SELECT count(*) FROM clicks JOIN frames USING (video, number) WHERE status != 'skipped' AND class_id = ?"
        )
        return int(self._rows(query, (UNKNOWN,))[0][0])

    def all_clicks(self) -> dict[FrameKey, list[Click]]:
        """Return the valid clicks of every target frame, for training and export.

        Raises:
            ClickError: The store contains an invalid click, written by another program; ``weclick clicks check`` lists
                them.
        """
        clicks: dict[FrameKey, list[Click]] = {}
        for key, click, _ in self.records():
            try:
                validate_click(click, self.classes)
            except ClickError as error:
                raise ClickError(f"{self.path}: frame {key}: {error}; see `weclick clicks check`") from None
            clicks.setdefault(key, []).append(click)
        return clicks

    def frames(self) -> dict[FrameKey, FrameRecord]:
        """Return the records of all stored frames, with or without clicks."""
        rows = self._rows(f"SELECT video, number, {FRAME_COLUMNS} FROM frames ORDER BY video, number")
        return {FrameKey(video, number): frame_record(*row) for video, number, *row in rows}

    def frame(self, key: FrameKey) -> FrameRecord:
        """Return the record of one frame, which is ``FrameRecord()`` if it is not stored."""
        rows = self._rows(f"SELECT {FRAME_COLUMNS} FROM frames WHERE video = ? AND number = ?", row_key(key))
        return frame_record(*rows[0]) if rows else FrameRecord()

    def statuses(self) -> dict[FrameKey, Status]:
        """Return the status of every stored frame."""
        rows = self._rows("SELECT video, number, status FROM frames ORDER BY video, number")
        return {FrameKey(video, number): status for video, number, status in rows}

    def progress(self, among: Container[FrameKey]) -> Progress:
        """Count finished frames and clicks of the frames ``among``, inside the database."""
        # SQLite calls the function back per row: a list of 150,000 keys would not fit in a query
        self._db.create_function("among", 2, lambda video, number: FrameKey(video, number) in among)
        rows = self._rows(
            """SELECT count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'skipped'),
            coalesce(sum((SELECT count(*) FROM clicks WHERE (clicks.video, clicks.number) = (frames.video, frames.number)))
            FILTER (WHERE status != 'skipped'), 0), total(seconds) FROM frames WHERE among(video, number)"""
        )
        return Progress(*rows[0])

    def counts(self) -> dict[str, int]:
        """Return the number of clicks per class name on target frames, zeros included."""
        counted = dict(
            self._rows(
                """SELECT class_id, count(*) FROM clicks JOIN frames USING (video, number) WHERE status != 'skipped'
                GROUP BY class_id"""
            )
        )
        return {name: counted.get(class_id, 0) for class_id, name in enumerate(self.classes.names)}

    def fingerprint(self) -> str:
        """Return a hash of what training uses: classes, clicks and status of target frames, labels and answers."""
        records, statuses = self.records(), self.statuses()
        content: list[object] = [self.classes.names, sorted((*key, *click) for key, click, _ in records)]
        unfinished = sorted({key for key, _, _ in records if statuses[key] == "todo"})
        if unfinished:  # not in the hash otherwise, so that finished stores keep the hash of earlier versions
            content.append(unfinished)
        with clear_errors(self.path):
            for *key, ids, confidence in self._db.execute(
                "SELECT video, number, ids, confidence FROM labels ORDER BY 1, 2"
            ):
                content.append([*key, hashlib.sha256(ids + confidence).hexdigest()])
        content += [[*key, sorted(answers.items())] for key, answers in self.all_answers().items() if answers]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with clear_errors(self.path):
            return self._db.execute(query, values).fetchall()
