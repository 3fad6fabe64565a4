"""`weclick clicks export` and `import`, in process."""

import json
import shutil

import pytest
from PIL import Image

from weclick.cli.main import run
from weclick.clicks import Click, ClickStore
from weclick.data.layouts import open_layout


@pytest.fixture
def weclick(capfd):
    def call(*arguments):
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return call


def refused(result, *words):
    status, out, err = result
    assert status == 1 and not out
    assert err.startswith("weclick: ") and err.count("\n") == 1
    assert all(str(word) in err for word in words), err


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("out.csv", []),
        ("out.xml", []),
        ("labelme", []),
        ("out.json", ["--format", "coco"]),
        ("out.json", ["--format", "label-studio"]),
    ],
)
def test_exported_clicks_can_be_imported(weclick, synthetic_root, click_file, tmp_path, file, options):
    out, imported = tmp_path / file, tmp_path / "imported.sqlite"
    status, text, _ = weclick("clicks", "export", synthetic_root, out, "--store", click_file, *options)
    assert status == 0
    classes = open_layout("auto", synthetic_root).classes
    with ClickStore(click_file, classes, readonly=True) as store:
        expected = store.fingerprint()
        assert text == f"{len(store.records())} clicks in {out}\n"
    assert weclick("clicks", "import", synthetic_root, out, "--store", imported)[0] == 0  # detects the format
    with ClickStore(imported, classes, readonly=True) as store:
        assert store.fingerprint() == expected


def test_json_needs_a_format_when_writing(weclick, synthetic_root, click_file, tmp_path):
    command = ("clicks", "export", synthetic_root, tmp_path / "out.json", "--store", click_file)
    refused(weclick(*command), "out.json", "--format label-studio")
    assert weclick(*command, "--format", "voc")[0] == 2
    assert not list(tmp_path.iterdir())


def test_a_refused_import_leaves_no_store_behind(weclick, synthetic_root, click_file, tmp_path):
    out, imported = tmp_path / "out.json", tmp_path / "imported.sqlite"
    weclick("clicks", "export", synthetic_root, out, "--store", click_file, "--format", "label-studio")
    tasks = json.loads(out.read_text(encoding="utf-8"))
    tasks[-1]["annotations"][0]["result"][-1]["value"]["keypointlabels"] = ["spaceship"]
    out.write_text(json.dumps(tasks), encoding="utf-8")
    result = weclick("clicks", "import", synthetic_root, out, "--store", imported)
    refused(result, str(out), "spaceship", "nothing was imported")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_refused_import_leaves_a_store_as_it_was(weclick, synthetic_root, click_file, tmp_path):
    out, mine = tmp_path / "out.xml", shutil.copy(click_file, tmp_path / "mine.sqlite")
    weclick("clicks", "export", synthetic_root, out, "--store", click_file)
    command = ("clicks", "import", synthetic_root, out, "--store", mine)
    refused(weclick(*command), "already has clicks", "--replace")
    assert weclick(*command, "--replace", "true")[0] == 0
    classes = open_layout("auto", synthetic_root).classes
    with ClickStore(mine, classes) as ours, ClickStore(click_file, classes, readonly=True) as before:
        assert ours.fingerprint() == before.fingerprint()


@pytest.mark.parametrize("file", ["gone.json", "gone.csv", "gone"])
def test_a_file_that_is_not_there_is_refused(weclick, synthetic_root, tmp_path, file):
    refused(weclick("clicks", "import", synthetic_root, tmp_path / file, "--store", tmp_path / "s"), file, "not found")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "options"), [("out.csv", []), ("out.xml", []), ("labelme", []), ("out.json", ["--format", "coco"])]
)
def test_clicks_outside_their_picture_are_refused_whole(weclick, copied, tmp_path, file, options):
    out, store = tmp_path / file, tmp_path / "far.sqlite"
    layout = open_layout("auto", copied)
    first, second = sorted(frame.key for frame in layout.frames("train"))[:2]
    with ClickStore.create(store, layout.classes) as opened:
        opened.add(first, [Click(3, 3, 0)])
        opened.add(second, [Click(120, 60, 0)])
    weclick("clicks", "export", copied, out, "--store", store, *options)
    image = next(frame.image for frame in layout.frames("train") if frame.key == second)
    Image.new("RGB", (100, 50)).save(image)
    refused(weclick("clicks", "import", copied, out), out, "100x50", "nothing was imported")
    assert not (copied / "clicks.sqlite").exists()
    status, text, _ = weclick("clicks", "check", copied, "--store", store)
    assert status == 1 and f"{second}: click at (120, 60) is outside the image of 100x50 pixels" in text


def test_a_store_that_cannot_be_written_is_refused_with_a_hint(weclick, synthetic_root, click_file, tmp_path):
    out = tmp_path / "out.csv"
    weclick("clicks", "export", synthetic_root, out, "--store", click_file)
    refused(weclick("clicks", "import", synthetic_root, out, "--store", "/proc/x.sqlite"), "/proc/x.sqlite", "--store")
