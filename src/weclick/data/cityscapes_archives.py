"""Cityscapes' official archives, packed or unpacked."""

from __future__ import annotations

import filecmp
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

from weclick.data.archives import open_zip
from weclick.data.index import SPLITS
from weclick.errors import DataError, one_line

MASKS: Final = "gtFine"
LABELLED: Final = "leftImg8bit"
SEQUENCE: Final = "leftImg8bit_sequence"

SITE: Final = "https://www.cityscapes-dataset.com"

_PATH: Final = re.compile(
    rf"(?:.*/)?(?P<path>(?P<folder>{MASKS}|{LABELLED}|{SEQUENCE})/(?P<split>{'|'.join(SPLITS)})/"
    r"[\w-]+/(?P<stem>[\w-]+)\.(?:png|jpe?g))"  # no dots, so that no member can be written outside of the root
)
_CHUNK: Final = 1 << 20


class Source(Protocol):
    """An archive, or a folder that it was unpacked to; files are named by their path in the data set."""

    place: Path

    def paths(self) -> Iterable[str]:
        """Return the paths of all files."""

    def size(self, path: str) -> int:
        """Return a file's size in bytes."""

    def is_at(self, path: str, target: Path) -> bool:
        """Return whether ``target`` holds the content of the file."""

    def read(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            DataError: It cannot be read, or is damaged.
        """


def open_sources(source: Path, folders: Iterable[str], stack: ExitStack) -> dict[str, Source]:
    """Open the archive of each of the folders of the data set, or what it was unpacked to.

    Args:
        source: Folder with the archives; each may also lie in a folder of its name, or be unpacked there or in ``source``.
        folders: Of ``MASKS``, ``LABELLED``, ``SEQUENCE``.
        stack: Closes the archives.

    Raises:
        DataError: An archive is missing, truncated, or holds something else.
    """
    if not source.is_dir():
        raise DataError(f"{source} is no folder; --from must name the folder with Cityscapes' archives")
    places = {folder: _locate(source, folder) for folder in folders}
    if missing := [archive_name(folder) for folder, place in places.items() if place is None]:
        without = "--data.clips.neighbours 0 --pairs false does without sequences"
        hint = f" ({without})" if archive_name(SEQUENCE) in missing else ""
        raise DataError(f"{source} lacks {', '.join(missing)}; download from {SITE}{hint}")
    sources: dict[str, Source] = {
        folder: _Archive(place, stack) if place.is_file() else _Folder(place)
        for folder, place in places.items()
        if place
    }
    for folder, opened in sources.items():
        if not any(path.startswith(f"{folder}/") for path in opened.paths()):
            raise DataError(
                f"{opened.place} holds no {folder}/<split>/<city>/*.png; download {archive_name(folder)} from {SITE}"
            )
    return sources


def _locate(source: Path, folder: str) -> Path | None:
    """Return the archive of a folder or, where there is none, the unpacked folder; None where there is neither."""
    name = archive_name(folder)
    places = (source, source / name.removesuffix(".zip"), source / name)
    archives, unpacked = [place / name for place in places], [place / folder for place in places]
    return next((path for path in archives if path.is_file()), next((path for path in unpacked if path.is_dir()), None))


class _Archive:
    """A zip archive."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place = place
        self._zip = stack.enter_context(open_zip(place))
        found = ((_PATH.fullmatch(info.filename), info) for info in self._zip.infolist())
        self._members = {match["path"]: info for match, info in found if match}

    def paths(self) -> Iterable[str]:
        return self._members

    def size(self, path: str) -> int:
        return self._members[path].file_size

    def is_at(self, path: str, target: Path) -> bool:
        member = self._members[path]
        return target.is_file() and target.stat().st_size == member.file_size and _crc(target) == member.CRC

    def read(self, path: str) -> bytes:
        member = self._members[path]
        try:
            return self._zip.read(member)  # compares the CRC
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise DataError(
                f"{self.place} is damaged at {member.filename} ({one_line(error)}); download it again and repeat the command, "
                "which keeps what is extracted"
            ) from None


class _Folder:
    """A folder that an archive was unpacked to."""

    def __init__(self, place: Path) -> None:
        self.place = place
        matches = ((_PATH.fullmatch(f"{place.name}/{file}"), file) for file in _walk(place))
        self._files = {match["path"]: place / file for match, file in matches if match}

    def paths(self) -> Iterable[str]:
        return self._files

    def size(self, path: str) -> int:
        return self._files[path].stat().st_size

    def is_at(self, path: str, target: Path) -> bool:
        file = self._files[path]
        return target.is_file() and (target.samefile(file) or filecmp.cmp(file, target, shallow=False))

    def read(self, path: str) -> bytes:
        try:
            return self._files[path].read_bytes()
        except OSError as error:
            raise DataError(f"{self._files[path]} cannot be read ({error.strerror}); restore it") from None


def _walk(folder: Path) -> Iterator[str]:
    """Yield ``<split>/<city>/<file>`` of every file in a folder such as ``gtFine``."""
    for split in SPLITS:
        for file in (folder / split).glob("*/*"):
            yield file.relative_to(folder).as_posix()


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc


def archive_name(folder: str) -> str:
    """Return the name of the archive that holds a folder of the data set."""
    return f"{folder}_trainvaltest.zip"
