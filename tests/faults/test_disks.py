"""A disk that fails in the middle of any file: one line that names it, the older file unchanged, nothing left beside it."""

import inspect
import shutil
import warnings

import pytest

from weclick.cli.main import _status
from weclick.inference.results import NOTES
from weclick.pipeline import export

from .disks import SmallDisk, largest_file
from .writers import NEW, WRITERS, Sources

ENGINES = {"ONNX", "OpenVINO"}
KINDS = [pytest.param(kind, marks=[pytest.mark.engines] if kind in ENGINES else []) for kind in WRITERS]
VIDEOS = {"overlay.mp4", "compare.webm"}
"""On a full disk a video ends early and can be played: tests/inference/test_writer.py."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return Sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    try:
        disk = SmallDisk(tmp_path_factory.mktemp("small") / "disk", 8)
    except PermissionError as error:
        pytest.skip(str(error))
    yield disk
    disk.remove()


@pytest.fixture(autouse=True)
def tidy(request):
    """Make room for the next test."""
    yield
    if "disk" in request.fixturenames:
        for folder in request.getfixturevalue("disk").place.iterdir():
            shutil.rmtree(folder)


@pytest.fixture
def write(sources, monkeypatch):
    """Write a version of a kind of file into a folder."""
    monkeypatch.setattr(
        export, "_check", lambda draft, card, path, *rest: export.Exported(path, "onnx", 1.0, 0, False, None, None)
    )

    def call(kind, folder, version):
        writer = WRITERS[kind]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loss became nan")
            writer(folder, version, *([sources] if len(inspect.signature(writer).parameters) == 3 else []))

    return call


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != NOTES]
    return {path.relative_to(folder): path.read_bytes() for path in files}


def refusal(write, kind, folder, capsys):
    """Return the line that a command prints if it fails to write a kind of file."""
    with pytest.raises(Exception) as raised:
        write(kind, folder, 1)
    capsys.readouterr()
    assert _status(raised.value, "fit") == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def half_written(write, tmp_path, capsys):
    """Write a kind of file until a disk fails, and check what is left.

    ``place`` is where; ``failing`` returns the block in which writing fails, from the size of the largest file.
    """

    def check(kind, place, failing):
        for version in (0, 1):
            (tmp_path / str(version)).mkdir()
            write(kind, tmp_path / str(version), version)
        old, new = (contents(tmp_path / str(version)) for version in (0, 1))
        if kind in NEW:
            old = {}
            place.mkdir()
        else:
            shutil.copytree(tmp_path / "0", place)
        with failing(max(map(len, new.values()))):
            line = refusal(write, kind, place, capsys)
        found = contents(place)
        names = [path for path in old.keys() | new.keys() if str(place / path) in line or path.suffix == ".sqlite"]
        assert line.startswith("weclick: ")
        assert str(place) in line, line
        assert "unexpected" not in line
        assert "/." not in line.replace(f"/{NOTES}", ""), "a temporary file is named"
        assert {path for path in found if path.name.startswith(".")} <= {path for path in old if path.name[0] == "."}
        assert all(found[path] in (old.get(path), new.get(path)) for path in found), "half a file is left"
        assert all(found.get(path) == old.get(path) for path in names), "what could not be written has changed"
        return line

    return check


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.values[0] not in VIDEOS])
def test_full(half_written, disk, kind):
    line = half_written(kind, disk.place / "made", lambda size: disk.full(size // 2))
    assert "is full" in line or "0.00 GB free" in line


@pytest.mark.parametrize("kind", KINDS)
def test_read_only(half_written, disk, kind):
    line = half_written(kind, disk.place / "made", lambda size: disk.read_only())
    assert "is read-only" in line


@pytest.mark.parametrize("kind", KINDS)
def test_beyond_the_users_limit(half_written, tmp_path, kind):
    half_written(kind, tmp_path / "made", lambda size: largest_file(size // 2))
