"""Click stores that are wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .cases import DAMAGE, Case, Spoil, as_folder, change, flipped, put
from .project import FIT

STORE = "street/clicks.sqlite"
STATS, EXPORTED = ("clicks", "stats", "street"), ("clicks", "export", "street", "out.csv")
ADDED = ("clicks", "import", "street", "clicks.csv", "--replace", "true")


def sql(*statements: str) -> Spoil:
    """Run statements on the store."""

    def spoil(folder: Path) -> None:
        with closing(sqlite3.connect(folder / STORE, isolation_level=None)) as db:
            db.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                db.execute(statement)

    return spoil


def page(number: int) -> Callable[[bytes], bytes]:
    """Return an edit that flips the bits of a page of 4096 bytes."""

    def edit(content: bytes) -> bytes:
        start = 4096 * number
        return content[:start] + bytes(255 - byte for byte in content[start : start + 4096]) + content[start + 4096 :]

    return edit


def another_database(folder: Path) -> None:
    """Put a database of another program in the store's place."""
    (folder / STORE).unlink()
    sql("CREATE TABLE music (title TEXT)")(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the store as another process that writes to it does."""
    with closing(sqlite3.connect(folder / STORE, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


ROWS: dict[str, tuple[str, ...]] = {
    "a newer version": ("PRAGMA user_version = 99",),
    "a negative version": ("PRAGMA user_version = -1",),
    "another application": ("PRAGMA application_id = 7",),
    "no table of clicks": ("DROP TABLE clicks",),
    "no table of frames": ("DROP TABLE frames",),
    "no table meta": ("DROP TABLE meta",),
    "nothing in meta": ("DELETE FROM meta",),
    "classes that are no JSON": ("UPDATE meta SET value = '[' WHERE key = 'classes'",),
    "classes that are a number": ("UPDATE meta SET value = '3' WHERE key = 'classes'",),
    "classes that are null": ("UPDATE meta SET value = 'null' WHERE key = 'classes'",),
    "classes that are bytes": ("UPDATE meta SET value = x'ff00' WHERE key = 'classes'",),
    "classes that are mappings": ("""UPDATE meta SET value = '[{"a": 1}, 2]' WHERE key = 'classes'""",),
    "other classes": ("""UPDATE meta SET value = '["ground", "bus"]' WHERE key = 'classes'""",),
    "a column less": ("ALTER TABLE clicks DROP COLUMN annotator",),
    "clicks of infinite x": ("UPDATE clicks SET x = 9e999",),
    "clicks of text": ("UPDATE clicks SET x = 'left'",),
    "clicks of a class that is none": ("UPDATE clicks SET class_id = 99",),
    "clicks of a class that is text": ("UPDATE clicks SET class_id = 'car'",),
    "clicks of a class below all": ("UPDATE clicks SET class_id = -7",),
    "a status that is none": ("UPDATE frames SET status = 'almost'",),
    "frames of no number": ("UPDATE frames SET number = 'x' || number", "UPDATE clicks SET number = 'x' || number"),
    "videos of bytes": ("UPDATE frames SET video = x'ff00'", "UPDATE clicks SET video = x'ff00'"),
    "times of bytes": ("UPDATE frames SET updated = x'ff00'", "UPDATE clicks SET created = x'ff00'"),
    "annotators of bytes": ("UPDATE clicks SET annotator = x'ff00'",),
    "sizes of text": ("UPDATE frames SET height = 'tall', width = 'wide'",),
    "sizes below zero": ("UPDATE frames SET height = -1, width = 0",),
    "labels that are no pictures": (
        "INSERT INTO labels SELECT video, number, x'00', x'00', 'p', 'a', 't' FROM frames LIMIT 1",
    ),
    "answers that are no JSON": ("INSERT INTO asked SELECT video, number, '{', 'a', 't' FROM frames LIMIT 1",),
    "answers of other classes": (
        """INSERT INTO asked SELECT video, number, '{"99": true}', 'a', 't' FROM frames LIMIT 1""",
    ),
    "answers of text": ("""INSERT INTO asked SELECT video, number, '{"x": "y"}', 'a', 't' FROM frames LIMIT 1""",),
    "text that is not UTF-8": ("UPDATE clicks SET annotator = CAST(x'ff' AS TEXT)",),
    "videos whose text is not UTF-8": ("UPDATE clicks SET video = CAST(x'ff' AS TEXT)",),
    "held-out frames that are no JSON": ("INSERT INTO meta VALUES ('held_out', '[')",),
    "held-out frames that are numbers": ("INSERT INTO meta VALUES ('held_out', '[3]')",),
    "a view for a table": (
        "ALTER TABLE clicks RENAME TO other",
        "CREATE VIEW clicks AS SELECT * FROM other, other AS b",
    ),
    "a trigger": ("CREATE TRIGGER t AFTER DELETE ON clicks BEGIN SELECT raise(ABORT, 'no'); END",),
}
"""What is wrong with a store's content, and the statements that make it so."""
SHOWN = {"another application", "a column less", "a trigger", "a view for a table"}


def spoilt_stores() -> list[Case]:
    """Stores read by the commands that count, write, add and train."""
    cases = []
    reads = {"stats": STATS, "export": EXPORTED, "import": ADDED, "fit": (*FIT, "--trainer.max_epochs=1"),
             "check": ("clicks", "check", "street")}  # fmt: skip
    for number, (name, statements) in enumerate(ROWS.items()):
        for command in {*list(reads)[number % 2 : number % 2 + 3 : 2], "check", "fit"}:
            # what a command does not read cannot disturb it
            cases.append(
                Case("click stores: content", f"{name}: {command}", reads[command], sql(*statements), (), True, True)
            )
    files: dict[str, tuple[Spoil, bool]] = {
        **{name: (change(STORE, damage), name == "cut before the end") for name, damage in DAMAGE.items()},
        "flipped bits": (change(STORE, flipped), True),
        **{f"page {number} inverted": (change(STORE, page(number)), True) for number in range(13)},
        "another database": (another_database, False),
        "a folder": (as_folder(STORE), False),
        "a log that is noise": (put(f"{STORE}-wal", bytes(range(256)) * 40), True),
    }
    for name, (spoil, harmless) in files.items():
        for command in ("stats", "import") if "page" in name else ("stats", "import", "fit"):
            cases.append(
                Case("click stores: file", f"{name}: {command}", reads[command], spoil, ("clicks.sqlite",), harmless)
            )
    words = ("clicks.sqlite", "another process")  # readers are not blocked by one that writes
    return [*cases, Case("click stores: file", "locked: import", reads["import"], words=words, during=locked)]


CASES = spoilt_stores()
