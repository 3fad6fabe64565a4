"""The click store: one SQLite file per data set with clicks, frame status, annotator and time."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from weclick.classes import ClassSet
from weclick.data.clicks.records import (
    Click,
    ClickRecord,
    FrameRecord,
    Size,
    Status,
    validate_click,
    validate_key,
    validate_status,
)
from weclick.data.clicks.sqlite import clear_errors, connect_existing, connect_readonly, create_file
from weclick.errors import ClickError
from weclick.frames import FrameKey

CLICKS_FILE: Final = "clicks.sqlite"
"""Name of a data set's click store in its root."""


class ClickStore:
    """An open click store. Every change is one transaction and durable when the call returns.

    Several processes may use one file at once; an object belongs to the thread that opened it.

    Args:
        path: An existing store; see :meth:`create`.
        classes: The data set's classes; a store made for others is refused.
        readonly: Refuse changes, and accept files and folders that cannot be written.

    Raises:
        ClickError: The file is missing, damaged, no click store, made for other classes or by a newer version.

    Example:
        >>> import tempfile
        >>> classes = ClassSet.from_list([{"name": "road"}, {"name": "car", "thing": True}])
        >>> with ClickStore.create(Path(tempfile.mkdtemp()) / "clicks.sqlite", classes) as store:
        ...     store.add(FrameKey("drive", 12), [Click(40.0, 30.0, 1)], size=(60, 80))
        ...     store.all_clicks()
        {FrameKey(video='drive', number=12): [Click(x=40.0, y=30.0, class_id=1)]}
    """

    def __init__(self, path: Path, classes: ClassSet, *, readonly: bool = False) -> None:
        self.path = path
        self.classes = classes
        self._db = connect_readonly(path, classes) if readonly else connect_existing(path, classes)

    @classmethod
    def create(cls, path: Path, classes: ClassSet) -> Self:
        """Make an empty store and open it.

        Raises:
            ClickError: Something is there already, or the folder cannot be written.
        """
        create_file(path, classes)
        return cls(path, classes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the object is of no use afterwards."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes inside the block one change: stored whole when it ends, not at all when it fails."""
        if self._db.in_transaction:
            yield
            return
        with clear_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def add(
        self,
        key: FrameKey,
        clicks: Sequence[Click],
        *,
        status: Status = "done",
        size: Size | None = None,
        annotator: str = "",
    ) -> None:
        """Add clicks to a frame and set its status; without clicks, only the status.

        Raises:
            ClickError: A coordinate is not finite or outside the image, a class is unknown, or ``size`` is not the
                one stored (clicks made on a scaled image); nothing is stored then.
        """
        with self.transaction():
            known = self._size(key)
            if known and size and known != tuple(size):
                raise ClickError(
                    f"{self.path}: frame {key} is {known[1]}x{known[0]} in the store but {size[1]}x{size[0]} here; "
                    "clicks must be in pixels of the source image"
                )
            self._write(key, clicks, status, size or known, annotator)

    def replace(
        self,
        key: FrameKey,
        clicks: Sequence[Click],
        *,
        status: Status = "done",
        size: Size | None = None,
        annotator: str = "",
    ) -> None:
        """Put ``clicks`` in place of all clicks of a frame.

        Raises:
            ClickError: As for :meth:`add`, except that a new ``size`` is taken over.
        """
        with self.transaction():
            self._write(key, clicks, status, size or self._size(key), annotator, clear=True)

    def note(self, **entries: object) -> None:
        """Record where clicks came from, as text under the given names; :attr:`provenance` reads it."""
        with self.transaction():
            rows = [(name, str(value)) for name, value in entries.items()]
            self._db.executemany("INSERT OR REPLACE INTO provenance VALUES (?, ?)", rows)

    @property
    def provenance(self) -> dict[str, str]:
        """What :meth:`note` recorded, such as the rule and seed of a simulation."""
        return dict(self._rows("SELECT key, value FROM provenance ORDER BY key"))

    def clicks(self, key: FrameKey) -> list[Click]:
        """Return the clicks of one frame in the order they were made, whatever its status."""
        rows = self._rows("SELECT x, y, class_id FROM clicks WHERE video = ? AND number = ? ORDER BY id", _row_key(key))
        return [Click(*row) for row in rows]

    def records(self) -> list[ClickRecord]:
        """Return all clicks with frame and annotator, ordered by frame; skipped frames are left out."""
        rows = self._rows(
            """SELECT video, number, x, y, class_id, clicks.annotator FROM clicks JOIN frames USING (video, number)
            WHERE status != 'skipped' ORDER BY video, number, id"""
        )
        return [
            ClickRecord(FrameKey(video, number), Click(x, y, class_id), who)
            for video, number, x, y, class_id, who in rows
        ]

    def all_clicks(self) -> dict[FrameKey, list[Click]]:
        """Return the clicks of every target frame, in one pass over the file, fit for training.

        Raises:
            ClickError: Another program stored a click that cannot be right; ``weclick clicks check`` lists them.
        """
        found: dict[FrameKey, list[Click]] = {}
        for key, click, _ in self.records():
            try:
                validate_click(click, self.classes)
            except ClickError as error:
                raise ClickError(f"{self.path}: frame {key}: {error}; see `weclick clicks check`") from None
            found.setdefault(key, []).append(click)
        return found

    def targets(self) -> list[FrameKey]:
        """Return the target frames: those that carry clicks and are not skipped."""
        return list(dict.fromkeys(record.key for record in self.records()))

    def frames(self) -> dict[FrameKey, FrameRecord]:
        """Return every frame the store knows, with or without clicks."""
        rows = self._rows(
            "SELECT video, number, status, annotator, height, width, updated FROM frames ORDER BY video, number"
        )
        return {
            FrameKey(video, number): FrameRecord(status, who, None if height is None else (height, width), updated)
            for video, number, status, who, height, width, updated in rows
        }

    def statuses(self) -> dict[FrameKey, Status]:
        """Return the status of every frame the store knows."""
        return {key: frame.status for key, frame in self.frames().items()}

    def counts(self) -> dict[str, int]:
        """Return the number of clicks per class name on target frames, zeros included."""
        counted = Counter(record.click.class_id for record in self.records())
        return {name: counted[class_id] for class_id, name in enumerate(self.classes.names)}

    def fingerprint(self) -> str:
        """Return a hash of what matters for training: classes and clicks of target frames, not order or times."""
        clicks = sorted((*key, *click) for key, click, _ in self.records())
        return hashlib.sha256(json.dumps([self.classes.names, clicks]).encode()).hexdigest()[:16]

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with clear_errors(self.path):
            return self._db.execute(query, values).fetchall()

    def _size(self, key: FrameKey) -> Size | None:
        rows = self._db.execute("SELECT height, width FROM frames WHERE video = ? AND number = ?", _row_key(key))
        found = rows.fetchone()
        return None if found is None or found[0] is None else found

    def _write(
        self,
        key: FrameKey,
        clicks: Sequence[Click],
        status: Status,
        size: Size | None,
        annotator: str,
        *,
        clear: bool = False,
    ) -> None:
        # Refuse before changing anything: inside a larger transaction the caller may go on after a refusal.
        validate_status(status)
        for click in clicks:
            validate_click(click, self.classes, size)
        if clear:
            self._db.execute("DELETE FROM clicks WHERE video = ? AND number = ?", _row_key(key))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        height, width = size or (None, None)
        self._db.execute(
            "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*_row_key(key), status, annotator, height, width, now),
        )
        self._db.executemany(
            "INSERT INTO clicks (video, number, x, y, class_id, annotator, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*_row_key(key), float(c.x), float(c.y), index(c.class_id), annotator, now) for c in clicks],
        )


def _row_key(key: FrameKey) -> tuple[str, int]:
    validate_key(key)
    return key.video, index(key.number)
