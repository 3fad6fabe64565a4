"""The SQLite file of a click store: schema, opening, migration, and error messages."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet
from weclick.clicks.verify import APPLICATION_ID, SCHEMA_VERSION, store_version, verify
from weclick.conventions import FrameKey
from weclick.disk import disk_state
from weclick.errors import ClickError, StoreError
from weclick.files import atomic_path_apart, writing

BUSY_SECONDS: Final = 30.0
"""How long to wait while another process writes; importing a large file is the longest write."""
WRITE_HINT: Final = "make the folder writable, or keep the store in another (--store FILE)"
"""What to do if a store cannot be written."""

# Class ids and confidence are PNG files of 8 bits.
_LABELS: Final = """CREATE TABLE labels (
    video TEXT NOT NULL, number INTEGER NOT NULL,
    ids BLOB NOT NULL CHECK (typeof(ids) = 'blob'), confidence BLOB NOT NULL CHECK (typeof(confidence) = 'blob'),
    probe TEXT NOT NULL, annotator TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (video, number))"""
# Frames whose annotator was asked about classes; answers are JSON: {class id: true if it is there, false, or null for no answer}.
_ASKED: Final = """CREATE TABLE asked (
    video TEXT NOT NULL, number INTEGER NOT NULL, answers TEXT NOT NULL CHECK (json_type(answers) = 'object'),
    annotator TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (video, number))"""
# The CHECKs on typeof are needed because SQLite stores any type in any column.
_SCHEMA: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE provenance (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE frames (
        video TEXT NOT NULL, number INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('todo', 'done', 'skipped')),
        annotator TEXT NOT NULL, height INTEGER, width INTEGER, updated TEXT NOT NULL,
        version INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, PRIMARY KEY (video, number))""",
    """CREATE TABLE clicks (
        id INTEGER PRIMARY KEY, video TEXT NOT NULL, number INTEGER NOT NULL,
        x REAL NOT NULL CHECK (typeof(x) = 'real'), y REAL NOT NULL CHECK (typeof(y) = 'real'),
        class_id INTEGER NOT NULL CHECK (typeof(class_id) = 'integer'),
        annotator TEXT NOT NULL, created TEXT NOT NULL, seconds REAL)""",
    "CREATE INDEX clicks_of_frame ON clicks (video, number)",
    _LABELS,
    _ASKED,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    # version 1 had neither versions of frames nor seconds
    1: (
        "ALTER TABLE frames ADD COLUMN version INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE frames ADD COLUMN seconds REAL NOT NULL DEFAULT 0",
        "ALTER TABLE clicks ADD COLUMN seconds REAL",
        "UPDATE frames SET version = 1",
    ),
    # version 2 had no accepted labels
    2: (_LABELS,),
    # version 3 had no answers
    3: (_ASKED,),
}
"""How a store of each earlier version becomes one of the next."""
# Temporary views hide tables of the same name, so a read-only store of an earlier version reads as if it were migrated.
_TEMPORARY: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "CREATE TEMP VIEW frames AS SELECT *, 1 AS version, 0.0 AS seconds FROM main.frames",
        "CREATE TEMP VIEW clicks AS SELECT *, NULL AS seconds FROM main.clicks",
    ),
    2: (_LABELS.replace("TABLE", "TEMP TABLE"),),
    3: (_ASKED.replace("TABLE", "TEMP TABLE"),),
}
_HINTS: Final = {
    sqlite3.SQLITE_FULL: "free some disk space; this change was not stored",
    sqlite3.SQLITE_IOERR: "check the disk and its free space; this change was not stored",
    sqlite3.SQLITE_READONLY: f"the store is read-only here; {WRITE_HINT}",
    sqlite3.SQLITE_CANTOPEN: f"SQLite keeps a log beside the store; {WRITE_HINT}",
    sqlite3.SQLITE_BUSY: "another process is writing to it; try again when it is done",
    sqlite3.SQLITE_NOTADB: "this is not a click store; choose another file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a copy",
}


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Convert SQLite errors in the block to one line that names the store and states what to do.

    Raises:
        StoreError: An SQLite error occurred; ``sqlite3.ProgrammingError`` (such as using a closed store) is a bug in the
            caller and is not converted.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as error:
        # an extended error code carries the primary one in its low byte
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        hint = _HINTS.get(code, "the click store cannot be used as it is")
        disk = ""
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            place, state = disk_state(path)
            disk = f" (disk {place}, {state})"
        raise StoreError(f"{path}: {error}{disk}; {hint}") from None


def require_free(path: Path) -> None:
    """Check that a new store can be created at ``path``.

    Raises:
        ClickError: The file exists, or the log of a removed store does: SQLite would replay it into the new store.
    """
    if path.exists() and (not path.is_file() or path.stat().st_size):
        raise ClickError(f"{path} already exists; open it, remove it or choose another path")
    if _has_log(path):
        raise ClickError(f"{_log(path)} is left over from a store that is gone; move it away first")


def create_file(path: Path, classes: ClassSet) -> None:
    """Create the file of an empty store, completely or not at all."""
    require_free(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClickError(f"{path.parent} cannot be made: {error.strerror}; choose another folder") from None
    with clear_errors(path), closing(_connect(path, "mode=rwc")) as db:
        # in one transaction, as another process may try to create the same file
        db.execute("BEGIN IMMEDIATE")
        _execute(db, _SCHEMA)
        db.execute("INSERT INTO meta VALUES ('classes', ?)", (json.dumps(classes.names),))
        db.execute("COMMIT")


def connect_existing(path: Path, classes: ClassSet) -> sqlite3.Connection:
    """Open a store for reading and writing, and migrate it from an earlier version if necessary."""
    _require_file(path)
    if not os.access(path, os.W_OK):
        raise ClickError(f"{path} is read-only; make it writable, or work on a copy (--store FILE)")
    with clear_errors(path):
        db = _connect(path, "mode=rw")
        try:
            verify(db, path, classes)
            # WAL: readers (training, checks) do not block the annotator, and are not blocked. FULL: each commit is on
            # disk when it returns; with NORMAL, a power cut may lose the last ones.
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            _migrate(db)
        except BaseException:
            db.close()
            raise
    return db


def connect_readonly(path: Path, classes: ClassSet) -> sqlite3.Connection:
    """Open a store for reading; neither its file nor its folder needs to be writable."""
    _require_file(path)
    with clear_errors(path):
        try:
            db = _connect(path, "mode=rw")
        except sqlite3.OperationalError:
            # SQLite cannot create its log in a read-only folder. Without an existing log the file is complete and can
            # be read directly; with one, clicks would be missing.
            if _has_log(path):
                raise
            db = _connect(path, "mode=ro&immutable=1")
        try:
            verify(db, path, classes)
            db.execute("PRAGMA temp_store = MEMORY")
            for version in range(store_version(db), SCHEMA_VERSION):
                _execute(db, _TEMPORARY[version])
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
    return db


HELD_OUT: Final = "held_out"
"""Key in ``meta`` of the frames that a copy for training holds out, as JSON."""


def copy_store(path: Path, out: Path, classes: ClassSet, held_out: Iterable[FrameKey] = ()) -> None:
    """Copy a store completely or not at all; other processes may write to it meanwhile.

    The copy is a single file, without a log.

    Args:
        path: The store.
        out: The copy.
        classes: The data set's classes.
        held_out: Frames that are not trained from; the copy names them (:meth:`ClickStore.held_out`).

    Raises:
        ClickError: The store is missing or cannot be opened.
        DataError: The copy cannot be written.
    """
    with (
        closing(connect_readonly(path, classes)) as db,
        writing(out),
        clear_errors(out),
        atomic_path_apart(out) as copied,
    ):
        with closing(_connect(copied, "mode=rwc")) as copy:
            db.backup(copy)
            copy.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (HELD_OUT, json.dumps(list(held_out))))
            copy.execute("PRAGMA journal_mode = DELETE")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    # isolation_level None: no implicit BEGIN, transactions are written out
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        # SQLite opens files lazily: errors appear only with the first read
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection) -> None:
    if store_version(db) == SCHEMA_VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # read again: another process may have migrated it while this one waited for the lock
        for version in range(store_version(db), SCHEMA_VERSION):
            _execute(db, _MIGRATIONS[version])
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _execute(db: sqlite3.Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        db.execute(statement)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise ClickError(
            f"click store {path} not found; make one with `weclick clicks simulate` or `weclick clicks import`"
        )


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _has_log(path: Path) -> bool:
    return _log(path).exists() and _log(path).stat().st_size > 0
