"""Download of files over HTTP; an interrupted one is continued where the server allows it."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from weclick.data.decode import Progress
from weclick.disk import check_space, disk_error
from weclick.errors import DataError, one_line
from weclick.files import locked, write_json, writing

_PAUSES: Final = (1, 2, 4, 8)
"""Seconds to wait after each failure in a row. A failure after which there is more of the file than ever is the first again."""
_TIMEOUT: Final = 60
"""Seconds without an answer or data."""
_CHUNK: Final = 1 << 16
_TEMPORARY: Final = {408, 425, 429, 500, 502, 503, 504}

_log = logging.getLogger(__name__)


class _DroppedError(Exception):
    """The server failed or the connection broke; another attempt may succeed."""


@dataclass(frozen=True)
class _Version:
    """The version of a file on the server: its ETag or date, "" without either, and its size in bytes if the server states it."""

    validator: str
    size: int | None


def is_url(text: str) -> bool:
    """Return whether a text is an address that :func:`download` takes."""
    return re.match(r"https?://", text, re.IGNORECASE) is not None


def file_name(url: str) -> str:
    """Return the name under which a file is downloaded.

    Raises:
        DataError: The address is not valid, or holds a password.
    """
    try:
        parts = urlsplit(url)
        valid = parts.hostname and not parts.username and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise DataError("an address of --from is not of the form https://HOST/PATH, without user name; correct it")
    last = unquote(parts.path).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.()+ -]", "_", last).lstrip(".") or "download"


def download(url: str, folder: Path, progress: Progress | None = None) -> Path:
    """Download a file and return its path; one that is in the folder already is kept, without asking the server.

    What has arrived lies beside it as ``NAME.part``. After an interruption, even by kill -9, the next call continues it if the
    server's file has the same ETag or date and the same size; otherwise it starts from the beginning.

    Args:
        url: Address, http or https.
        folder: Folder to download to.
        progress: Called with (bytes done, bytes in total, 0 if unknown).

    Raises:
        DataError: The server refuses, sends a web page, or cannot be reached in several attempts.
        DiskError: The disk is too small.
    """
    path = folder / file_name(url)
    part = path.with_name(f"{path.name}.part")
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock")):
            if not path.exists():
                _download_part(url, part, progress)
                part.replace(path)
                _state(part).unlink(missing_ok=True)
    return path


def _download_part(url: str, part: Path, progress: Progress | None) -> None:
    failures, most = 0, _size(part)
    while True:
        try:
            return _attempt(url, part, progress)
        except _DroppedError as error:
            failures = 1 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if failures > len(_PAUSES):
                raise DataError(
                    f"{_shown(url)} cannot be downloaded ({error}); check the network and repeat the command; "
                    f"{_size(part) / 1e6:.1f} MB have arrived"
                ) from None
            _log.warning("%s: %s; next attempt in %d s", _shown(url), error, _PAUSES[failures - 1])
        time.sleep(_PAUSES[failures - 1])


def _attempt(url: str, part: Path, progress: Progress | None) -> None:
    known = _read_version(part)
    start = _size(part) if known else 0
    if known and known.size == start:  # killed before the file got its name
        return
    with _connection(url, part), _open(url, start, known) as response:
        version, continues = _version(response), response.status == HTTPStatus.PARTIAL_CONTENT
        if continues and not _same(known, version):
            part.unlink(missing_ok=True)
            raise _DroppedError("the server's file is another one than before")
        chunk = response.read1(_CHUNK)
        if "html" in response.headers.get_content_type() or (not continues and chunk.lstrip().startswith(b"<")):
            raise DataError(
                f"{_shown(url)} is a web page, not an archive or video; find the address of the file itself"
            )
        if not continues:
            start = 0
            part.unlink(missing_ok=True)  # first: what an earlier version left must not be taken for this one's
            write_json(_state(part), asdict(version))
        check_space(part, (version.size or 0) - start, f"{part.name} of {_shown(url)}")
        _receive(response, chunk, part, start, version.size, progress)


def _receive(
    response: HTTPResponse, chunk: bytes, part: Path, done: int, size: int | None, progress: Progress | None
) -> None:
    with part.open("ab") as stream:
        while chunk:
            stream.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, size or 0)
            chunk = response.read1(_CHUNK)
        stream.flush()
        os.fsync(stream.fileno())
    if size is not None and done != size:  # http.client reports a connection that ends early as the end of the file
        raise _DroppedError(f"the connection ended after {done} of {size} bytes")


@contextmanager
def _connection(url: str, part: Path) -> Iterator[None]:
    """Turn errors of the network into ``_DroppedError``, refusals of the server into ``DataError``."""
    try:
        yield
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # the server's file has become shorter
            part.unlink(missing_ok=True)
        elif error.code not in _TEMPORARY:
            raise DataError(
                f"{_shown(url)} is refused by the server ({error.code} {error.reason}); check the address"
            ) from None
        raise _DroppedError(f"the server answers {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise disk_error(error, part) or _DroppedError(one_line(getattr(error, "reason", error))) from None


def _open(url: str, start: int, known: _Version | None) -> HTTPResponse:
    headers = {"User-Agent": "weclick"}
    if known and start:
        headers |= {"Range": f"bytes={start}-", "If-Range": known.validator}
    address = quote(url, safe="%/:?#[]@!$&'()*+,;=~")
    response: HTTPResponse = urlopen(Request(address, headers=headers), timeout=_TIMEOUT)
    return response


def _same(known: _Version | None, version: _Version) -> bool:
    # a server may leave out the date where the request has stated it
    return known is not None and known.size == version.size and version.validator in ("", known.validator)


def _version(response: HTTPResponse) -> _Version:
    tag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    length = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get("Content-Length", "")
    return _Version(date if tag.startswith("W/") else tag or date, int(length) if length.isdecimal() else None)


def _state(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_version(part: Path) -> _Version | None:
    """Return the version of which ``part`` is the beginning; None where it cannot be continued."""
    try:
        known = _Version(**json.loads(_state(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return known if known.validator and part.exists() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _shown(url: str) -> str:
    """Return an address for messages, without the part that may hold a password or token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
