"""The click store: one SQLite file per data set with clicks, frame status, annotators and times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from weclick.classes import ClassSet
from weclick.clicks.queries import ClickQueries
from weclick.clicks.records import (
    AcceptedLabel,
    Answers,
    Click,
    FrameRecord,
    Status,
    TimedClick,
    is_unchanged,
    validate_answers,
    validate_click,
    validate_label,
    validate_status,
)
from weclick.clicks.rows import (
    append_clicks,
    remove_clicks,
    remove_label,
    set_answers,
    set_frame,
    set_label,
    update_clicks,
)
from weclick.clicks.sqlite import clear_errors, connect_existing, connect_readonly, create_file
from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError, ConflictError

CLICKS_FILE: Final = "clicks.sqlite"
"""File name of a data set's click store, in its root folder."""


def store_path(root: Path | str, named: str | None = None) -> Path:
    """Return the path of a data set's click store: the named one, else ``CLICKS_FILE`` in the root."""
    return Path(named) if named else Path(root) / CLICKS_FILE


class ClickStore(ClickQueries):
    """An open click store. Every change is one transaction, and is on disk when the call returns.

    Several processes may use one file at the same time; an object must be used in the thread that opened it.

    Args:
        path: An existing store; see :meth:`create`.
        classes: The data set's classes; they must be those the store was created with.
        readonly: Refuse changes; file and folder need not be writable then.

    Raises:
        ClickError: The file is missing or damaged, is not a click store, or was made for other classes or by a newer
            version.

    Example:
        >>> import tempfile
        >>> classes = ClassSet.from_list([{"name": "road"}, {"name": "car", "thing": True}])
        >>> with ClickStore.create(Path(tempfile.mkdtemp()) / "clicks.sqlite", classes) as store:
        ...     store.add(FrameKey("drive", 12), [Click(40.0, 30.0, 1)], size=(60, 80))
        ...     store.all_clicks()
        {FrameKey(video='drive', number=12): [Click(x=40.0, y=30.0, class_id=1)]}
    """

    def __init__(self, path: Path, classes: ClassSet, *, readonly: bool = False) -> None:
        db = connect_readonly(path, classes) if readonly else connect_existing(path, classes)
        super().__init__(db, path, classes)

    @classmethod
    def create(cls, path: Path, classes: ClassSet) -> Self:
        """Create an empty store and open it.

        Raises:
            ClickError: The file already exists, or the folder cannot be written.
        """
        create_file(path, classes)
        return cls(path, classes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the object cannot be used afterwards."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run all changes in the block as one transaction: stored when it ends, discarded when it raises."""
        if self._db.in_transaction:
            yield
            return
        with clear_errors(self.path):
            # IMMEDIATE takes the write lock before reading, so that a version read here is still valid when written
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # some errors, such as a full disk, have rolled back already
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
        """Add clicks to a frame and set its status; without clicks, set only the status.

        Raises:
            ClickError: A click is invalid, or ``size`` differs from the stored one (the usual cause is that a scaled
                image was clicked). Nothing is stored then.
        """
        with self.transaction():
            stored_size = self.frame(key).size
            self._check_size(key, stored_size, size)
            self._check(clicks, status, size or stored_size)
            set_frame(self._db, key, status, size or stored_size, annotator)
            if clicks or status != "done":
                remove_label(self._db, key)
            append_clicks(self._db, key, map(TimedClick, clicks), annotator)

    def replace(
        self,
        key: FrameKey,
        clicks: Sequence[Click],
        *,
        status: Status = "done",
        size: Size | None = None,
        annotator: str = "",
        answers: Answers | None = None,
    ) -> None:
        """Replace all clicks of a frame, and the answers about its classes.

        Raises:
            ClickError: A click is invalid. A ``size`` that differs replaces the stored one.
        """
        with self.transaction():
            size = size or self.frame(key).size
            self._check(clicks, status, size)
            validate_answers(answers or {}, self.classes)
            set_frame(self._db, key, status, size, annotator)
            remove_clicks(self._db, key)
            remove_label(self._db, key)
            set_answers(self._db, key, answers, annotator)
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
        label: AcceptedLabel | None = None,
        answers: Answers | None = None,
    ) -> FrameRecord:
        """Replace a frame's clicks if nobody has changed the frame since it was read (compare and swap).

        Clicks that stay keep their annotator and time. Saving what is already stored succeeds with any ``version``, so
        a client whose response was lost can send the same save again.

        Args:
            key: The frame.
            clicks: All clicks of the frame.
            version: The frame's version when it was read; 0 if it was not in the store.
            status: The new status.
            size: (H, W) of the source image.
            annotator: Who made the change.
            seconds: Total time spent on the frame.
            label: The frame's accepted label; its status must be done. Without, the frame has none afterwards.
            answers: What the annotator said about classes that are not clicked; None if nobody was asked.

        Returns:
            The record as it is now stored.

        Raises:
            ConflictError: The frame was changed since it was read.
            ClickError: As for :meth:`add`; if the frame had no clicks, a ``size`` that differs is stored.
        """
        with self.transaction():
            record, stored = self.frame(key), self.timed_clicks(key)
            same = (
                is_unchanged(status, clicks, record, stored)
                and self.has_label(key) == (label is not None)
                and self.answers(key) == answers
            )
            equal = same and seconds == record.seconds and list(clicks) == stored
            if same and (version != record.version or (equal and (label is None or label.equals(self.label(key))))):
                return record
            if version != record.version:
                who = f" by {record.annotator}" if record.annotator else ""
                raise ConflictError(
                    f"frame {key} was changed{who} meanwhile: it has version {record.version} now, but this change was "
                    f"made from version {version}"
                )
            if clicks and stored:
                self._check_size(key, record.size, size)
            self._check((c.click for c in clicks), status, size)
            if label is not None:
                validate_label(label, self.classes, size, status)
            validate_answers(answers or {}, self.classes)
            set_frame(self._db, key, status, size, annotator, seconds)
            set_answers(self._db, key, answers, annotator)
            remove_label(self._db, key)
            if label is not None:
                set_label(self._db, key, label, annotator)
            update_clicks(self._db, key, stored, clicks, annotator)
            return self.frame(key)

    def accept(self, key: FrameKey, label: AcceptedLabel, *, annotator: str = "") -> None:
        """Store the accepted label of a frame, and mark the frame as done.

        A label belongs to the clicks it was accepted with: changing clicks or status of the frame removes it.

        Raises:
            ClickError: The label has unknown class ids, or another size than the frame.
        """
        with self.transaction():
            record = self.frame(key)
            validate_label(label, self.classes, record.size)
            size = record.size or (label.ids.shape[0], label.ids.shape[1])
            set_frame(self._db, key, "done", size, annotator)
            set_label(self._db, key, label, annotator)

    def note(self, **entries: object) -> None:
        """Record where the clicks came from, as text under the given names; see :attr:`provenance`."""
        with self.transaction():
            rows = [(name, str(value)) for name, value in entries.items()]
            self._db.executemany("INSERT OR REPLACE INTO provenance VALUES (?, ?)", rows)

    def _check_size(self, key: FrameKey, stored: Size | None, size: Size | None) -> None:
        if stored and size and stored != tuple(size):
            raise ClickError(
                f"{self.path}: frame {key} is {stored[1]}x{stored[0]} in the store but {size[1]}x{size[0]} here; "
                "clicks must be in pixels of the source image"
            )

    def _check(self, clicks: Iterable[Click], status: Status, size: Size | None) -> None:
        # Called before any write: inside a larger transaction the caller may catch the error and continue.
        validate_status(status)
        for click in clicks:
            validate_click(click, self.classes, size)
