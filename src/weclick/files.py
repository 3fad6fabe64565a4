"""Writing files whole or not at all, and walking through folders."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from weclick.errors import DataError, DiskError, WeclickError

# Errors of systems on which a folder cannot be opened or synced. A full or failing disk gives others, which are raised.
_NO_FOLDER_SYNC: Final = {
    errno.EACCES,
    errno.EBADF,
    errno.EINVAL,
    errno.EISDIR,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EPERM,
}


_FULL: Final = "free some space there, or choose another folder"
_DISK_ERRORS: Final = {
    errno.ENOSPC: f"is full{{state}}; {_FULL}",
    errno.EDQUOT: f"gives you no more space (quota); {_FULL}",
    errno.EFBIG: "or your limit (ulimit -f) allows no file that large; choose another folder, or raise the limit",
    errno.EROFS: "is read-only; choose another folder, or mount it writable",
}
"""What is wrong with the disk, by the error of writing, and what to do."""


# The mask can be read only by setting it for a moment, which would affect files that other threads create: done on import.
_UMASK: Final = os.umask(0)
os.umask(_UMASK)


@contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces ``path`` when the block succeeds and is removed when it fails.

    The temporary name has the same suffix, so that writers that choose a format by suffix work.

    Args:
        path: File to write.
        durable: Wait until content and name are on disk, so that no power cut can undo them. That takes tens of
            milliseconds, too long for a file that can be made again faster.
    """
    temporary = None
    try:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            temporary.chmod(0o666 & ~_UMASK)  # mkstemp lets only the user read; other files follow the mask
            if durable:
                with temporary.open("rb") as stream:
                    os.fsync(stream.fileno())
            temporary.replace(path)
            if durable:
                _sync_folder(path.parent)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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


def _sync_folder(folder: Path) -> None:
    """Bring renames in ``folder`` to disk, where the file system supports it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


@contextmanager
def new_folder(folder: Path, what: str) -> Iterator[Path]:
    """Yield a hidden folder beside ``folder``, which is renamed to ``folder`` on success and removed on failure.

    Args:
        folder: Folder to make; it may exist if it is empty.
        what: What it will hold, for messages.

    Raises:
        DataError: It is a file or link, not empty, or cannot be written.
        DiskError: Its disk is full or read-only.
    """
    folder = folder.absolute()
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DataError(f"{folder} is not a folder; choose another place for the {what}")
    temporary = None
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise DataError(f"{folder} is not empty; choose another place, or delete it first")
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        made = temporary / "made"
        made.mkdir()
        yield made
        if folder.is_dir():
            folder.rmdir()
        made.rename(folder)
    except OSError as error:
        raise disk_error(error, folder) or DataError(
            f"{folder} cannot be written ({error}); check permissions and free space"
        ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into a DataError that names ``path``, or a DiskError that names the disk too."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) or DataError(
            f"{path} cannot be written: {error.strerror or error}; check the folder and its permissions"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data``, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - whatever json takes
    """Write ``value`` as readable JSON, atomically. NaN becomes null."""
    write_text(path, json.dumps(_without_nan(value), indent=2, ensure_ascii=False) + "\n")


def _without_nan(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def sha256(path: Path, length: int = 16) -> str:
    """Return the first ``length`` hex digits of the file's SHA-256."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:length]


def walk(folder: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield ``folder`` and all folders in it: path relative to it, path, names of the files; nothing where there is no folder.

    Sorted and without hidden files and folders. Links are followed, except to a folder that they lie in.
    """
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        real = here.resolve()
        links = {
            name for name in folders if (here / name).is_symlink() and real.is_relative_to((here / name).resolve())
        }
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in links)
        relative = here.relative_to(folder).as_posix()
        yield "" if relative == "." else relative, here, sorted(name for name in files if not name.startswith("."))
