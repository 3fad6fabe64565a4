"""`weclick clicks suggest`: what it lists, and what it refuses."""

import json
import shutil

import pytest

from weclick.clicks import CLICKS_FILE, ClickStore
from weclick.data.layouts import open_layout

pytestmark = pytest.mark.slow


@pytest.fixture
def suggest(weclick, trained):
    return lambda root, *options: weclick("clicks", "suggest", root, "--runs", trained, *options)


def test_it_lists_frames_to_click_with_its_reasons(suggest, synthetic_root):
    head, *lines, order, following = suggest(synthetic_root, "--count", 3).done().out.splitlines()
    assert following.startswith("next: weclick annotate ")
    assert head.split() == ["frame", "score", "unsure", "unsteady", "contradicted"]
    keys = {str(frame.key) for frame in open_layout("auto", synthetic_root).frames("train")}
    listed = [line.split()[0] for line in lines]
    assert len(set(listed)) == 3
    assert "order" in order and "nan" not in " ".join(lines)
    assert all(line.split()[-1] == "-" for line in lines)  # nothing is clicked that could be contradicted
    assert set(listed) <= keys


def test_clicked_frames_are_not_listed_and_none_may_be_left(suggest, synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "set")
    layout = open_layout("auto", root)
    keys = sorted(frame.key for frame in layout.frames("train"))
    with ClickStore.create(root / CLICKS_FILE, layout.classes) as store:
        for key in keys[1:]:
            store.add(key, [], status="skipped")
        assert suggest(root).done().out.splitlines()[1].split()[0] == str(keys[0])
        store.add(keys[0], [], status="done")
    assert "every frame of the train split" in suggest(root).done().out


def test_what_makes_no_sense_is_refused(suggest, synthetic_root, folder_root):
    suggest(synthetic_root, "--count", 0).refused("--count 0")
    suggest(synthetic_root, "--run", "none").refused("none", "done")
    suggest(folder_root).refused("classes")


def test_the_list_can_be_written_for_programs(suggest, synthetic_root, tmp_path):
    out = suggest(synthetic_root, "--count", 2, "--out", tmp_path / "new" / "list.json").done().out
    listed = json.loads((tmp_path / "new" / "list.json").read_text())
    assert [f"{entry['video']}:{entry['number']}" for entry in listed] == [
        line.split()[0] for line in out.splitlines()[1:3]
    ]
    assert listed[0]["score"] > 0
