"""Zip archives from elsewhere: opened with one clear line about what is wrong, unpacked without trust."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Final

from weclick.data.decode import Progress
from weclick.disk import check_space
from weclick.errors import DataError, one_line
from weclick.files import writing

_MOST_RATIO: Final = 100
"""Unpacked size by packed size: images and videos hardly get smaller, and a zip bomb has a ratio of a thousand and more."""


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip archive.

    Raises:
        DataError: It is truncated, no zip archive, or cannot be read.
    """
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError(f"{path} {_why_not(path)}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions and the disk") from None


def _why_not(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(2) == b"PK":
            return f"is truncated ({size} bytes); delete it and download it again"
    return f"is not a zip archive ({size} bytes); if it is an archive of another kind, unpack it and name the folder"


def unpack(archive: Path, folder: Path, suffixes: Collection[str], progress: Progress | None = None) -> None:
    """Unpack the files of a zip archive that have some suffixes, and are not hidden; their CRCs are compared.

    Args:
        archive: Zip archive.
        folder: Folder to unpack to; on an error, what was unpacked so far stays in it.
        suffixes: In lower case, with dot.
        progress: Called with (bytes done, bytes in total).

    Raises:
        DataError: The archive is damaged, encrypted, a bomb, or names files outside of the folder.
        DiskError: The disk is too small.
    """
    with open_zip(archive) as opened:
        members = [member for member in opened.infolist() if _is_wanted(member.filename, suffixes)]
        total, done = sum(member.file_size for member in members), 0
        _check_members(archive, members, total)
        check_space(folder, total, f"{archive}, unpacked,")
        for member in members:
            try:
                with writing(folder / member.filename):
                    opened.extract(member, folder)
            # RuntimeError: encrypted, or packed by a method that Python does not know
            except (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, RuntimeError) as error:
                raise DataError(
                    f"{archive} is damaged at {member.filename} ({one_line(error)}); delete it and download it again"
                ) from None
            done += member.file_size
            if progress is not None:
                progress(done, total)


def _is_wanted(name: str, suffixes: Collection[str]) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return path.suffix.lower() in suffixes and not hidden and not name.endswith("/")


def _check_members(archive: Path, members: list[zipfile.ZipInfo], total: int) -> None:
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(
                f"{archive} holds {member.filename}, outside of its folder; get the archive from its authors"
            )
    if total > _MOST_RATIO * archive.stat().st_size:
        raise DataError(
            f"{archive} would unpack to {total / 1e9:.2f} GB, too much for {archive.stat().st_size} bytes of images or videos; "
            "get the archive from its authors"
        )
