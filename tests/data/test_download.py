"""Downloads from a local server that breaks off, forgets, changes and lies."""

import errno
import http.server
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from urllib.parse import quote

import pytest

from weclick.data import download as module
from weclick.data.download import download, file_name
from weclick.errors import DataError, DiskError

CONTENT = random.Random(0).randbytes(1 << 20)
OTHER = random.Random(1).randbytes(1 << 20)


class Server(http.server.ThreadingHTTPServer):
    """Serves one content at any path; ``drops`` and ``statuses`` hold what to do to the next requests."""

    content, validator, kind = CONTENT, ("ETag", '"one"'), "application/zip"
    ranges, checks_version, states_size = True, True, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.drops, self.statuses, self.requests = [], [], []
        self.url = f"http://127.0.0.1:{self.server_port}/data/stills.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, start = self.server, 0
        server.requests.append((self.path, self.headers["Range"], self.headers["If-Range"]))
        if server.statuses:
            return self.send_error(server.statuses.pop(0))
        same = self.headers["If-Range"] == server.validator[1] or not server.checks_version
        if server.ranges and same and self.headers["Range"]:
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
            if start >= len(server.content):
                return self.send_error(416)
        size = len(server.content)
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", server.kind)
        self.send_header(*server.validator)
        if server.states_size:
            self.send_header("Content-Length", str(size - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        self.wfile.write(server.content[start : start + server.drops.pop(0) if server.drops else None])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "_PAUSES", (0, 0, 0, 0))
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def starts(server):
    """Return the byte at which each request wanted to begin."""
    return [int(wanted[6:-1]) if wanted else 0 for _, wanted, _ in server.requests]


def test_a_file_arrives_whole_and_is_not_downloaded_twice(server, tmp_path):
    told = []
    path = download(server.url, tmp_path / "a b" / "ü", lambda *step: told.append(step))
    assert path == tmp_path / "a b" / "ü" / "stills.zip"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["stills.zip"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    download(server.url, path.parent)
    assert len(server.requests) == 1


def test_a_broken_connection_is_continued_where_it_broke(server, tmp_path):
    server.drops = [300_000, 400_000]
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert starts(server) == [0, 300_000, 700_000]
    assert [version for *_, version in server.requests] == [None, '"one"', '"one"']
    assert names(tmp_path) == ["stills.zip"]


def test_a_date_does_where_there_is_no_strong_etag(server, tmp_path):
    server.validator, server.drops = ("Last-Modified", "Sat, 01 Mar 2008 00:00:00 GMT"), [300_000]
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert starts(server) == [0, 300_000]


@pytest.mark.parametrize("lacking", [{"ranges": False}, {"validator": ("ETag", 'W/"weak"')}], ids=str)
def test_a_server_that_cannot_continue_sends_all_of_it_again(server, tmp_path, lacking):
    vars(server).update(lacking)
    server.drops = [300_000]
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.parametrize("checks_version", [True, False])
def test_what_has_changed_on_the_server_is_never_mixed_with_what_was_there(server, tmp_path, checks_version):
    server.drops = [300_000, 0, 0, 0, 0]
    with pytest.raises(DataError, match=r"stills\.zip cannot be downloaded .*; 0\.3 MB have arrived"):
        download(server.url, tmp_path)
    server.content, server.validator, server.checks_version = OTHER, ("ETag", '"two"'), checks_version
    assert download(server.url, tmp_path).read_bytes() == OTHER


def test_a_file_that_has_become_shorter_is_downloaded_from_the_beginning(server, tmp_path):
    server.drops = [300_000, 0, 0, 0, 0]
    with pytest.raises(DataError):
        download(server.url, tmp_path)
    server.content = CONTENT[:200_000]
    assert download(server.url, tmp_path).read_bytes() == CONTENT[:200_000]


def test_a_download_killed_in_the_middle_goes_on(server, tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from weclick.data.download import download

def kill(done, total):
    if done > 600_000:
        os.kill(os.getpid(), signal.SIGKILL)

download(sys.argv[1], Path(sys.argv[2]), kill)
"""
    command = [sys.executable, "-c", program, server.url, str(tmp_path)]
    assert subprocess.run(command, timeout=300).returncode == -signal.SIGKILL
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert starts(server)[1] > 500_000
    assert names(tmp_path) == ["stills.zip"]


def test_a_file_that_only_lacks_its_name_is_not_downloaded_again(server, tmp_path):
    server.drops = [300_000, 0, 0, 0, 0]
    with pytest.raises(DataError):
        download(server.url, tmp_path)
    (tmp_path / "stills.zip.part").write_bytes(CONTENT)
    requests = len(server.requests)
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == requests


def test_a_size_that_the_server_does_not_state_is_not_needed(server, tmp_path):
    server.states_size, told = False, []
    assert download(server.url, tmp_path, lambda *step: told.append(step)).read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), 0)


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(server, tmp_path):
    server.statuses = [503, 429]
    assert download(server.url, tmp_path / "busy").read_bytes() == CONTENT
    server.requests.clear()
    server.statuses = [404]
    with pytest.raises(DataError, match=r"stills\.zip is refused by the server \(404 Not Found\); check the address"):
        download(f"{server.url}?token=secret", tmp_path / "refused")
    assert len(server.requests) == 1
    assert not names(tmp_path / "refused")


@pytest.mark.parametrize(
    ("kind", "content"),
    [("text/html; charset=utf-8", b"moved"), ("application/octet-stream", b"\n <!DOCTYPE html><p>Log in")],
)
def test_a_web_page_is_refused_and_nothing_of_it_stays(server, tmp_path, kind, content):
    server.kind, server.content = kind, content
    with pytest.raises(DataError, match=r"stills\.zip is a web page, not an archive or video") as caught:
        download(f"{server.url}?token=secret", tmp_path)
    assert "secret" not in str(caught.value)
    assert not names(tmp_path)


def test_a_server_out_of_reach_is_named(server, tmp_path):
    server.server_close()
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:\d+/data/stills\.zip cannot be downloaded .*refused"):
        download(server.url, tmp_path)


def test_what_does_not_fit_on_the_disk_is_refused_first(server, tmp_path, monkeypatch):
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 1000))
    with pytest.raises(DiskError, match=r"stills\.zip needs 0\.00 GB, but .* has 0\.00 GB free"):
        download(server.url, tmp_path)
    assert len(server.requests) == 1


def test_a_disk_that_fills_up_is_no_failure_of_the_network(server, tmp_path, monkeypatch):
    def fail(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.drops = [300_000]
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(DiskError, match=r"stills\.zip.* is full"):
            download(server.url, tmp_path)
    server.drops = []
    assert len(server.requests) == 1
    assert download(server.url, tmp_path).read_bytes() == CONTENT


def test_any_characters_may_be_in_an_address(server, tmp_path):
    base = server.url.rpartition("/")[0]
    path = download(f"{base}/Ströme & Straßen.zip?x=ü y", tmp_path)
    assert path.name == "Ströme _ Straßen.zip"
    assert server.requests[0][0] == f"/data/{quote('Ströme & Straßen.zip', safe='&')}?x={quote('ü y')}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/701%20Stills.zip?download=1#x", "701 Stills.zip"),
        ("https://example.org/a/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("https://example.org/a/.hidden", "hidden"),
        ("https://example.org/", "download"),
    ],
)
def test_the_name_of_a_file_cannot_lead_out_of_the_folder(url, name):
    assert file_name(url) == name


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://host:port/x", "https://me:secret@example.org/x.zip"])
def test_an_address_that_is_none_is_refused_without_showing_a_password(url):
    with pytest.raises(DataError, match="address") as caught:
        file_name(url)
    assert "secret" not in str(caught.value)
