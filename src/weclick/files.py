"""Writing files whole or not at all, and walking through folders."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from weclick.disk import disk_error, disk_errors
from weclick.errors import DataError

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


# The mask can be read only by setting it for a moment, which would affect files that other threads create: done on import.
_UMASK: Final = os.umask(0)
os.umask(_UMASK)


@contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces ``path`` when the block succeeds and is removed when it fails.

    The temporary name has the same suffix, so that writers that choose a format by suffix work. For writers that put more files
    beside theirs there is :func:`atomic_path_apart`.

    Args:
        path: File to write.
        durable: Wait until content and name are on disk, so that no power cut can undo them. That takes tens of
            milliseconds, too long for a file that can be made again faster.

    Raises:
        DiskError: The disk is full or read-only.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, handle = _claim(path)
    try:
        with disk_errors(path):  # before the file is removed: the message states what was free
            yield temporary
            temporary.chmod(0o666 & ~_UMASK)  # so far only the user can read; other files follow the mask
            if durable:
                with temporary.open("rb") as stream:
                    os.fsync(stream.fileno())
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    if durable:
        _sync_folder(path.parent)


def _claim(path: Path) -> tuple[Path, int]:
    """Return an empty file beside ``path`` for its new content, and a descriptor that locks it as long as it is open.

    Its name follows from that of ``path``, so the next one who writes ``path`` replaces what a killed process left. While
    another one is writing ``path``, or without locks, the name is a random one.
    """
    temporary = path.with_name(f".{path.stem}-writing{path.suffix}")
    with suppress(OSError):  # somebody else's file, or a link; a full disk refuses the random name too
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if _lock(handle, temporary):
            os.ftruncate(handle, 0)
            return temporary, handle
        os.close(handle)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    return Path(name), handle


def _lock(handle: int, temporary: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        temporary.unlink(missing_ok=True)  # this disk has no locks, so nobody writes under this name
        return False
    return _is_at(temporary, handle)  # it may have got its final name between being opened and locked


def remove_leftovers(*folders: Path) -> None:
    """Remove what killed processes left in some folders: files they were writing, and locks; what is in use is kept."""
    kinds = (".*-writing*", ".*.lock")  # not ".lock", of a run as a whole, which stays
    for path in (path for folder in folders for kind in kinds for path in folder.glob(kind) if path.is_file()):
        with suppress(OSError), path.open("rb") as stream:  # in use, gone meanwhile, or without locks nobody can tell
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextmanager
def atomic_path_apart(path: Path) -> Iterator[Path]:
    """Do as :func:`atomic_path`, with the temporary path in a hidden folder of its own, for SQLite, which adds files to it."""
    with partial_folder(path, "writing") as folder:
        yield folder / path.name
        with atomic_path(path) as temporary:
            (folder / path.name).replace(temporary)


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
def new_folder(folder: Path, what: str, *, replace: bool = False) -> Iterator[Path]:
    """Yield a hidden folder beside ``folder``, which is renamed to ``folder`` on success and removed on failure.

    Args:
        folder: Folder to make; it may exist if it is empty.
        what: What it will hold, for messages.
        replace: Replace a folder that is not empty; it stays as it is on failure.

    Raises:
        DataError: It is a file or link, not empty, or cannot be written.
        DiskError: Its disk is full or read-only.
    """
    folder = folder.absolute()
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DataError(f"{folder} is not a folder; choose another place for the {what}")
    try:
        with partial_folder(folder, "making") as partial:
            if folder.is_dir() and any(folder.iterdir()) and not replace:
                raise DataError(f"{folder} is not empty; choose another place, or delete it first")
            made, earlier = partial / "made", partial / "earlier"
            made.mkdir()
            yield made
            if folder.is_dir():
                folder.rename(earlier)
            try:
                made.rename(folder)
            except OSError:
                with suppress(FileNotFoundError):
                    earlier.rename(folder)
                raise
    except OSError as error:
        raise disk_error(error, folder) or DataError(
            f"{folder} cannot be written ({error}); check permissions and free space"
        ) from None


@contextmanager
def partial_folder(place: Path, doing: str) -> Iterator[Path]:
    """Yield an empty hidden folder ``.NAME-DOING`` beside ``place``, for what is to become it; it is removed afterwards.

    One process at a time can have it: others wait, and what a killed process left in it is removed first.

    Raises:
        DiskError: The disk is full or read-only.
    """
    with disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}-{doing}")
    with disk_errors(place), locked(partial.with_name(f"{partial.name}.lock")):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with disk_errors(place):
                partial.mkdir()
                yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time into the block, by a lock on the file ``path``, which is removed afterwards."""
    while True:
        with path.open("w") as stream:
            with suppress(OSError):  # some network drives do not support locks
                fcntl.flock(stream, fcntl.LOCK_EX)
            # The previous holder has removed the file: a lock on it would not stop others, who make a new one.
            if not _is_at(path, stream.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


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
