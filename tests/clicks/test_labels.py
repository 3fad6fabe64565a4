"""Accepted labels as files."""

import cv2
import numpy as np
import pytest

from weclick.cli.main import run
from weclick.clicks import ClickStore
from weclick.clicks.records import AcceptedLabel
from weclick.conventions import IGNORE_INDEX, FrameKey
from weclick.data.layouts import open_layout
from weclick.images import read_label

SIZE, VIDEO = (8, 12), "Straße 1"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "set"
    for name in (f"{VIDEO}/7", f"{VIDEO}/000012", "v/1"):
        path = root / f"frames/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imencode(".png", np.zeros((*SIZE, 3), np.uint8))[1].tofile(path)
    (root / "classes.yaml").write_text("[road, car]\n")
    (root / "splits.yaml").write_text(f"train: [{VIDEO}]\nval: [v]\n", encoding="utf-8")
    return root


@pytest.fixture
def store(root):
    with ClickStore.create(root / "clicks.sqlite", open_layout("auto", root).classes) as store:
        for number in (7, 12):
            ids = np.full(SIZE, 1, np.uint8)
            ids[0, 0] = IGNORE_INDEX
            confidence = np.full(SIZE, 250, np.uint8)
            confidence[:, 6:] = 20
            store.accept(FrameKey(VIDEO, number), AcceptedLabel(ids, confidence))
        yield store


def export(root, folder, *options):
    return run(["clicks", "labels", str(root), str(folder), *options])


def test_labels_are_masks_that_the_data_set_reads(root, store, capsys):
    export(root, root / "masks")
    assert capsys.readouterr().out == f"2 labels in {root / 'masks'}\n"
    frames = {frame.key.number: frame.label for frame in open_layout("auto", root).frames("train")}
    assert {number: path.name for number, path in frames.items()} == {7: "7.png", 12: "000012.png"}
    for number, path in frames.items():
        assert np.array_equal(read_label(path, None), store.label(FrameKey(VIDEO, number)).ids)


def test_unsure_pixels_are_unknown(root, store, tmp_path):
    export(root, tmp_path / "out", "--sure", "0.5")
    label = read_label(tmp_path / "out" / VIDEO / "7.png", None)
    assert (label[1:, :6] == 1).all() and (label[:, 6:] == IGNORE_INDEX).all()


def test_a_file_that_exists_is_not_replaced(root, store, tmp_path, capsys):
    export(root, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert export(root, tmp_path / "out") == 1
    assert "exists; export to a new folder" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")} == before


def test_a_label_of_a_frame_that_the_data_set_lacks_is_refused_and_nothing_written(root, store, tmp_path, capsys):
    outside = FrameKey("../../outside", 1)
    store.accept(outside, AcceptedLabel(np.zeros(SIZE, np.uint8), np.zeros((1, 1), np.uint8)))
    assert export(root, tmp_path / "a" / "b" / "out") == 1
    assert "no picture of frame ../../outside:1" in capsys.readouterr().err
    assert not list(tmp_path.rglob("a/**/*.png")) and not (tmp_path / "a" / "outside").exists()
