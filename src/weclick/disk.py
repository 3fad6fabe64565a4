"""Errors of full and read-only disks, in one line that names file, disk and remedy."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from weclick.errors import DiskError, WeclickError

_FULL: Final = "free some space there, or choose another folder"
_DISK_ERRORS: Final = {
    errno.ENOSPC: f"is full{{state}}; {_FULL}",
    errno.EDQUOT: f"gives you no more space (quota); {_FULL}",
    errno.EFBIG: "or your limit (ulimit -f) allows no file that large; choose another folder, or raise the limit",
    errno.EROFS: "is read-only; choose another folder, or mount it writable",
}
"""What is wrong with the disk, by the error of writing, and what to do."""


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an error inside the block that comes from a full or read-only disk into one that names ``path`` and the disk.

    Raises:
        DiskError: There was one, perhaps behind an error of a library.
    """
    try:
        yield
    except WeclickError:
        raise
    except Exception as error:
        if (found := disk_error(error, path)) is not None:
            raise found from error
        raise


def disk_error(error: BaseException | None, path: Path | None = None) -> DiskError | None:
    """Return the error to raise in place of one that a full or read-only disk has caused; None for all others.

    Args:
        error: The error, or one that was raised because of it.
        path: What was being written; by default the file that the error names.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            place = path or (Path(error.filename) if error.filename else None)
            if place is None:
                return DiskError(f"a file cannot be written: {error.strerror}; weclick doctor shows which disk is full")
            disk, state = disk_state(place)
            reason = _DISK_ERRORS[error.errno].format(state=f" ({state})")
            return DiskError(f"{place} cannot be written: the disk {disk} {reason}")
        error = error.__cause__ or error.__context__
    return None


def disk_state(path: Path) -> tuple[Path, str]:
    """Return where the disk is mounted that a file lies on or would lie on, and how much is free there."""
    existing = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    disk = next(place for place in (existing.resolve(), *existing.resolve().parents) if place.is_mount())
    status = os.statvfs(disk)
    if status.f_files and not status.f_favail:
        return disk, "it holds as many files as it can"
    return disk, f"{status.f_bavail * status.f_frsize / 1e9:.2f} GB free"


def check_space(place: Path, needed: int, what: str) -> None:
    """Refuse to write what does not fit.

    Args:
        place: File or folder to write; need not exist.
        needed: Bytes.
        what: What is to be written, for the message.

    Raises:
        DiskError: The disk of ``place`` has less space.
    """
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise DiskError(f"{what} needs {needed / 1e9:.2f} GB, but {existing} has {free / 1e9:.2f} GB free; {_FULL}")
