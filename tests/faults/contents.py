"""Compare what two folders hold, but for times of day and speeds."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

TIMED = {"report.html", "README.md", "environments.jsonl"}
"""Files with times in their text: only whether they are there is compared."""

TIMES = {"speed", "date", "seconds", "created", "updated", "sha256"}
"""Names in JSON files, and columns of databases, that hold times, or hashes of files with times in them."""


def differences(one: Path, other: Path) -> list[str]:
    """Return a line for each file that only one folder has, or that holds something else there."""
    first, second = (
        {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for folder in (one, other)
    )
    lines = [f"{name} is missing" for name in sorted(first.keys() - second.keys())]
    lines += [f"{name} is left" for name in sorted(second.keys() - first.keys())]
    return lines + [
        f"{name} differs" for name in sorted(first.keys() & second.keys()) if not same(first[name], second[name])
    ]


def same(one: Path, other: Path) -> bool:
    """Return whether two files hold the same, times aside."""
    read = READERS.get(one.suffix or one.name, Path.read_bytes)
    return one.name in TIMED or one.read_bytes() == other.read_bytes() or equal(read(one), read(other))


def equal(one: object, other: object) -> bool:
    """Return whether two values are the same, array by array."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, torch.Tensor | np.ndarray):
        return np.array_equal(np.asarray(one), np.asarray(other))
    return bool(one == other) or (one != one and other != other)  # NaN


def without_times(value: object) -> object:
    """Return a value read from JSON without what is named as a time."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def tables(path: Path) -> dict[str, object]:
    """Return the rows of all tables of a database, without columns of times."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found: dict[str, object] = {}
        for name in names:
            columns = [column[1] for column in db.execute(f"PRAGMA table_info({name})") if column[1] not in TIMES]
            found[name] = db.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY {columns[0]}").fetchall()
        return found


READERS = {
    ".predicted": lambda path: sorted(path.read_text().splitlines()),  # several threads list what they write
    ".json": lambda path: without_times(json.loads(path.read_text())),
    ".ckpt": lambda path: torch.load(path, weights_only=True),
    ".safetensors": load_file,
    ".npz": lambda path: dict(np.load(path)),
    ".sqlite": tables,
}
