"""Whether a SQLite file is a click store that can be read."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet
from weclick.errors import ClickError

APPLICATION_ID: Final = 0x57436C6B
"""Marks a SQLite file as a click store ("WClk")."""
SCHEMA_VERSION: Final = 4

_WRONG_TYPES: Final = (
    *(
        f"SELECT 1 FROM {table} WHERE typeof(video) != 'text' OR typeof(number) != 'integer' LIMIT 1"
        for table in ("frames", "clicks")
    ),
    """SELECT 1 FROM frames WHERE typeof(height) NOT IN ('integer', 'null') OR typeof(width) NOT IN ('integer', 'null')
    OR typeof(annotator) != 'text' LIMIT 1""",
    "SELECT 1 FROM clicks WHERE typeof(annotator) != 'text' LIMIT 1",
)
"""Queries that find a value of another type than its column's: another program may have written what no CHECK covers."""


def verify(db: sqlite3.Connection, path: Path, classes: ClassSet) -> None:
    """Refuse what is not a click store of these classes that this version reads.

    Raises:
        ClickError: It is another kind of file, of a later version, damaged, or was made for other classes.
    """
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ClickError(f"{path} is not a click store; choose another file")
    version = store_version(db)
    if not 1 <= version <= SCHEMA_VERSION:
        raise ClickError(
            f"{path} has store version {version}, but this weclick reads up to {SCHEMA_VERSION}; update weclick"
        )
    if (problem := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise ClickError(f"{path} is damaged ({' '.join(problem.split())}); restore a copy")
    if any(db.execute(query).fetchone() for query in _WRONG_TYPES):
        raise ClickError(f"{path} is damaged (a value of another type than its column's); restore a copy")
    stored = _stored_classes(db, path)
    if stored != list(classes.names):
        raise ClickError(
            f"{path} was made for other classes: {_difference(stored, classes.names)}; use the data set it was made for"
        )


def _stored_classes(db: sqlite3.Connection, path: Path) -> list[str]:
    """Return the names of the classes that a store was made for."""
    row = db.execute("SELECT value FROM meta WHERE key = 'classes'").fetchone()
    try:
        stored = json.loads(row[0] if row else "")
        if not isinstance(stored, list):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        raise ClickError(f"{path} is damaged (its list of classes cannot be read); restore a copy") from None
    return stored


def store_version(db: sqlite3.Connection) -> int:
    """Return the version of a store's schema."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _difference(stored: list[str], wanted: tuple[str, ...]) -> str:
    for class_id, (old, new) in enumerate(zip(stored, wanted, strict=False)):
        if old != new:
            return f"class {class_id} is {old!r} in the store and {new!r} in the data set"
    return f"{len(stored)} in the store and {len(wanted)} in the data set"
