"""The folders that weclick writes into: free space, permission and locks, all by trying."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from weclick.pipeline.doctor.finding import Finding

_GB: Final = 1e9
_LITTLE: Final = 5 * _GB
"""A run of the largest preset needs about that: checkpoints with the state of the optimiser, twice per stage, and a memory."""
_TOO_LITTLE: Final = 0.5 * _GB
"""A decoded minute of video or a single large checkpoint may need that."""

_SECOND_WRITER: Final = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None) as db:
    db.execute("BEGIN IMMEDIATE")
"""


def examine_current_folder() -> Iterator[Finding]:
    """Examine the current folder, where runs are written."""
    yield examine_folder("current folder", Path.cwd(), "change to another folder, or name others: --runs FOLDER")


def examine_temporary_folder() -> Iterator[Finding]:
    """Examine the folder of temporary files."""
    yield examine_folder("temporary folder", Path(tempfile.gettempdir()), "set TMPDIR to another folder")


def examine_cache_folder() -> Iterator[Finding]:
    """Examine the folder of features, and of the decoded videos of read-only data."""
    yield examine_folder("cache folder", user_cache_path("weclick"), "set XDG_CACHE_HOME to another folder")


def examine_folder(name: str, folder: Path, other: str) -> Finding:
    """Write into a folder, or into the one that it would be made in, and lock a file there; what is written is removed.

    Args:
        name: What the folder is for.
        folder: The folder; it may be missing.
        other: How to choose another one.
    """
    existing = next(place for place in (folder, *folder.parents) if place.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".weclick-doctor-", dir=existing) as scratch:
            _write(Path(scratch) / "file")
            locked = _files_lock(Path(scratch) / "lock") and _databases_lock(Path(scratch) / "database")
    except (OSError, sqlite3.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        return Finding("problem", name, f"{folder} cannot be written ({reason})", f"free some space, or {other}")
    free = shutil.disk_usage(existing).free
    found = f"{folder}, {free / _GB:.1f} GB free"
    if not locked:
        return Finding(
            "problem", name, f"{found}, but locks on files have no effect there", f"on a local disk? {other}"
        )
    if free < _LITTLE:
        state = "problem" if free < _TOO_LITTLE else "warning"
        return Finding(state, name, found, f"free some space, or {other}")  # type: ignore[arg-type]
    return Finding("ok", name, found)


def _write(file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(bytes(1 << 20))
        stream.flush()
        os.fsync(stream.fileno())  # some disks report only here that they are full


def _files_lock(file: Path) -> bool:
    """Return whether a lock keeps others out; network drives may refuse locks, or grant them to everybody."""
    with file.open("w") as one, file.open("w") as other:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _databases_lock(file: Path) -> bool:
    """Return whether SQLite keeps a second writer out, as click stores need it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            return False
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE written (value)")
        # in another process: within one, SQLite keeps its connections apart without the file system
        command = [sys.executable, "-I", "-c", _SECOND_WRITER, str(file)]
        refused = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        db.execute("COMMIT")
    return "database is locked" in refused.stderr
