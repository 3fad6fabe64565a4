"""The click store: one SQLite file per data set with clicks, frame status, annotator and time."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from weclick.classes import ClassSet
from weclick.clicks.records import (
    Click,
    ClickRecord,
    FrameRecord,
    Progress,
    Size,
    Status,
    TimedClick,
    is_stored,
    validate_click,
    validate_status,
)
from weclick.clicks.rows import (
    FRAME_COLUMNS,
    append_clicks,
    exchange_clicks,
    frame_record,
    remove_clicks,
    row_key,
    set_frame,
)
from weclick.clicks.sqlite import clear_errors, connect_existing, connect_readonly, create_file
from weclick.conventions import FrameKey
from weclick.errors import ClickError, ConflictError

CLICKS_FILE: Final = "clicks.sqlite"
"""Name of a data set's own click store, in its root."""


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
            known = self.frame(key).size
            self._check_size(key, known, size)
            self._check(clicks, status, size or known)
            set_frame(self._db, key, status, size or known, annotator)
            append_clicks(self._db, key, map(TimedClick, clicks), annotator)

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
            size = size or self.frame(key).size
            self._check(clicks, status, size)
            set_frame(self._db, key, status, size, annotator)
            remove_clicks(self._db, key)
            append_clicks(self._db, key, map(TimedClick, clicks), annotator)

    def save(
        self,
        key: FrameKey,
        clicks: Sequence[TimedClick],
        *,
        version: int,
        status: Status,
        size: Size,
        annotator: str,
        seconds: float,
    ) -> FrameRecord:
        """Put ``clicks`` in place of a frame's if it is still what the change was made from; return what is stored now.

        Clicks that stay keep who made them and when. Saving what is stored already changes nothing, whatever the
        ``version``: a save whose answer was lost can be sent again.

        Args:
            key: The frame.
            clicks: All its clicks.
            version: Of the frame as it was read; 0 when the store did not know it.
            status: Its status from now on.
            size: (H, W) of the source image.
            annotator: Who made the change.
            seconds: Time spent on the frame in all.

        Raises:
            ConflictError: Somebody changed the frame since.
            ClickError: As for :meth:`add`; a frame without clicks takes over a new ``size``.
        """
        with self.transaction():
            known, stored = self.frame(key), self.timed_clicks(key)
            same = is_stored(status, clicks, known, stored)
            if same and (version != known.version or (seconds == known.seconds and list(clicks) == stored)):
                return known
            if version != known.version:
                who = f" by {known.annotator}" if known.annotator else ""
                raise ConflictError(
                    f"frame {key} was changed{who} meanwhile: it has version {known.version} now, this change was made "
                    f"from {version}"
                )
            if clicks and stored:
                self._check_size(key, known.size, size)
            self._check((c.click for c in clicks), status, size)
            set_frame(self._db, key, status, size, annotator, seconds)
            exchange_clicks(self._db, key, stored, clicks, annotator)
            return self.frame(key)

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
        rows = self._rows("SELECT x, y, class_id FROM clicks WHERE video = ? AND number = ? ORDER BY id", row_key(key))
        return [Click(*row) for row in rows]

    def timed_clicks(self, key: FrameKey) -> list[TimedClick]:
        """Return the clicks of one frame with the time each took."""
        query = "SELECT x, y, class_id, seconds FROM clicks WHERE video = ? AND number = ? ORDER BY id"
        return [TimedClick(Click(*row), seconds) for *row, seconds in self._rows(query, row_key(key))]

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

    def frames(self) -> dict[FrameKey, FrameRecord]:
        """Return every frame the store knows, with or without clicks."""
        rows = self._rows(f"SELECT video, number, {FRAME_COLUMNS} FROM frames ORDER BY video, number")
        return {FrameKey(video, number): frame_record(*row) for video, number, *row in rows}

    def frame(self, key: FrameKey) -> FrameRecord:
        """Return what the store knows of one frame."""
        rows = self._rows(f"SELECT {FRAME_COLUMNS} FROM frames WHERE video = ? AND number = ?", row_key(key))
        return frame_record(*rows[0]) if rows else FrameRecord()

    def statuses(self) -> dict[FrameKey, Status]:
        """Return the status of every frame the store knows."""
        rows = self._rows("SELECT video, number, status FROM frames ORDER BY video, number")
        return {FrameKey(video, number): status for video, number, status in rows}

    def progress(self, among: Container[FrameKey]) -> Progress:
        """Count what is done of some frames, without fetching them."""
        self._db.create_function("among", 2, lambda video, number: FrameKey(video, number) in among)
        rows = self._rows(
            """SELECT count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'skipped'),
            coalesce(sum((SELECT count(*) FROM clicks WHERE (clicks.video, clicks.number) = (frames.video, frames.number)))
            FILTER (WHERE status != 'skipped'), 0), total(seconds) FROM frames WHERE among(video, number)"""
        )
        return Progress(*rows[0])

    def counts(self) -> dict[str, int]:
        """Return the number of clicks per class name on target frames, zeros included."""
        counted = Counter(record.click.class_id for record in self.records())
        return {name: counted[class_id] for class_id, name in enumerate(self.classes.names)}

    def fingerprint(self) -> str:
        """Return a hash of what matters for training: classes, clicks of target frames, which of these are unfinished."""
        records, statuses = self.records(), self.statuses()
        content: list[object] = [self.classes.names, sorted((*key, *click) for key, click, _ in records)]
        unfinished = sorted({key for key, _, _ in records if statuses[key] == "todo"})
        if unfinished:  # a store without any keeps the hash it always had
            content.append(unfinished)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with clear_errors(self.path):
            return self._db.execute(query, values).fetchall()

    def _check_size(self, key: FrameKey, known: Size | None, size: Size | None) -> None:
        if known and size and known != tuple(size):
            raise ClickError(
                f"{self.path}: frame {key} is {known[1]}x{known[0]} in the store but {size[1]}x{size[0]} here; "
                "clicks must be in pixels of the source image"
            )

    def _check(self, clicks: Iterable[Click], status: Status, size: Size | None) -> None:
        # Refuse before changing anything: inside a larger transaction the caller may go on after a refusal.
        validate_status(status)
        for click in clicks:
            validate_click(click, self.classes, size)
