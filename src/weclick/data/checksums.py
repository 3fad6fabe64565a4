"""Checksums of a prepared data set, in the format of ``sha256sum``, and of single files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from weclick.errors import DataError
from weclick.files import sha256, walk, write_text

CHECKSUMS: Final = "checksums.txt"
"""File in the root of a data set, which ``sha256sum --check`` reads too."""

_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def write_checksums(root: Path) -> None:
    """Write the checksums of all files in a folder into it."""
    names = sorted((folder / name).relative_to(root).as_posix() for _, folder, files in walk(root) for name in files)
    write_text(root / CHECKSUMS, "".join(f"{sha256(root / name, 64)}  {name}\n" for name in names))


def checksum_problems(root: Path) -> Iterator[str]:
    """Yield a line for each file that is missing in ``root`` or differs from its checksum there, if it has one."""
    listing = root / CHECKSUMS
    if not listing.is_file():
        return
    with listing.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            match = _LINE.fullmatch(line.rstrip("\n"))
            path = Path(match[2]) if match else Path("..")
            if match is None or path.is_absolute() or ".." in path.parts:
                yield f"{listing}:{number} is no line of sha256sum about a file beside it; delete or rename {CHECKSUMS}"
            elif not (root / path).is_file():
                yield f"{root / path} is missing; {CHECKSUMS} lists it: restore it, or prepare the data set again"
            elif sha256(root / path, 64) != match[1]:
                yield f"{root / path} differs from {CHECKSUMS}; restore it, or delete {CHECKSUMS} if you changed it"


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a file that has another SHA-256.

    Raises:
        DataError: It has, or it is no file.
    """
    if not path.is_file():
        raise DataError(f"{path} is no file, so it cannot be compared with a SHA-256; name its archive")
    if (found := sha256(path, 64)) != expected.lower():
        raise DataError(
            f"{path} has the SHA-256 {found}, not {expected}; delete it and download it again, or correct --sha256"
        )
