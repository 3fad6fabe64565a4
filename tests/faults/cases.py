"""What a case of bad input is, and the ways in which files are spoiled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Spoil = Callable[[Path], object]
"""Changes the project in a folder before a command runs there."""


def untouched(folder: Path) -> None:
    """Leave the project as it is."""


@dataclass(frozen=True)
class Case:
    """A command that has to refuse what it finds.

    Args:
        kind: Row of the table that it is counted in.
        name: What is wrong.
        command: Arguments of ``weclick``, run in the project's folder.
        spoil: Makes it wrong.
        words: What the message must contain: the file or option, and more if it should say more.
        harmless: The command may also do its work.
        report: The finding may be in what a command that checks prints, with exit status 1.
        during: Held while the command runs.
        then: A command that must succeed after this one was accepted, as it reads what that made.
    """

    kind: str
    name: str
    command: tuple[str, ...]
    spoil: Spoil = untouched
    words: tuple[str, ...] = ()
    harmless: bool = False
    report: bool = False
    during: Callable[[Path], AbstractContextManager[object]] = nullcontext
    then: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}: weclick {' '.join(self.command)[:150]}"


def put(name: str, content: bytes | str) -> Spoil:
    """Write a file, and remove what was there."""
    data = content.encode() if isinstance(content, str) else content

    def spoil(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return spoil


def change(name: str, edit: Callable[[bytes], bytes]) -> Spoil:
    """Change the bytes of a file."""
    return lambda folder: (folder / name).write_bytes(edit((folder / name).read_bytes()))


def change_json(name: str, edit: Callable[[Any], Any]) -> Spoil:
    """Change the value of a JSON file; ``edit`` changes it in place, or returns another."""

    def spoil(folder: Path) -> None:
        value = json.loads((folder / name).read_text())
        edited = edit(value)
        (folder / name).write_text(json.dumps(value if edited is None else edited))

    return spoil


def all_of(*spoils: Spoil) -> Spoil:
    """Do several things."""

    def spoil(folder: Path) -> None:
        for each in spoils:
            each(folder)

    return spoil


def remove(name: str) -> Spoil:
    """Remove a file or folder."""
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def as_folder(name: str) -> Spoil:
    """Put an empty folder in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def flipped(content: bytes) -> bytes:
    """Flip a bit in every 97th byte from the middle on."""
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ (0x10 * (n % 97 == 0)) for n, byte in enumerate(content[middle:]))


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte": lambda content: content[:1],
    "cut at a quarter": lambda content: content[: len(content) // 4],
    "cut in half": lambda content: content[: len(content) // 2],
    "cut before the end": lambda content: content[: -max(len(content) // 50, 4)],
    "text": lambda content: b"this is not the file that you are looking for\n",
    "zeros": lambda content: bytes(len(content)),
    "noise": lambda content: bytes(n * n * 31 % 251 for n in range(len(content))),
}
"""Damage that every kind of file can have."""

TEXT_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    **DAMAGE,
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "Latin-1": lambda content: content.replace(b"car", "Straßenbahn".encode("latin-1")),
    "a NUL byte": lambda content: content[:40] + b"\0" + content[40:],
    "nested 100000 times": lambda content: b"[" * 100_000,
    "a number of 5000 digits": lambda content: b"9" * 5000,
}
"""Damage that a text file can have."""
