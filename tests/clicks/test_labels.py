"""Accepted labels as files."""

import json
import xml.etree.ElementTree as ET

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


def filled(runs, size):
    """Return the mask of a run-length encoding, by the definition: runs of 0 and 1 alternate, 0 first."""
    values = np.repeat(np.arange(len(runs)) % 2, runs)
    assert values.size == size
    return values


def test_coco_holds_a_mask_per_class_down_the_columns(root, store, tmp_path):
    assert export(root, tmp_path / "labels.json", "--format", "coco") == 0
    content = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert [image["file_name"] for image in content["images"]] == [
        f"frames/{VIDEO}/7.png",
        f"frames/{VIDEO}/000012.png",
    ]
    for mask in content["annotations"]:
        number = (7, 12)[mask["image_id"] - 1]
        expected = store.label(FrameKey(VIDEO, number)).ids == 1
        found = filled(mask["segmentation"]["counts"], expected.size).reshape(SIZE, order="F")
        assert names[mask["category_id"]] == "car"
        assert np.array_equal(found, expected)
        assert mask["area"] == expected.sum()
        assert mask["bbox"] == [0, 0, 12, 8]
    assert len(content["annotations"]) == 2


def test_cvat_holds_a_mask_per_class_along_the_rows_of_its_box(root, store, tmp_path):
    assert export(root, tmp_path / "labels.xml", "--format", "cvat", "--sure", "0.5") == 0
    found = ET.parse(tmp_path / "labels.xml").getroot()
    assert [label.findtext("type") for label in found.iter("label")] == ["mask", "mask"]
    for image in found.iter("image"):
        (mask,) = image.iter("mask")
        left, top, width, height = (int(mask.get(name)) for name in ("left", "top", "width", "height"))
        assert (mask.get("label"), left, top, width, height) == ("car", 0, 0, 6, 8)
        runs = [int(length) for length in mask.get("rle").split(",")]
        box = filled(runs, width * height).reshape(height, width)
        assert not box[0, 0] and box.sum() == width * height - 1


def test_without_accepted_labels_a_file_holds_none(root, tmp_path, capsys):
    ClickStore.create(root / "clicks.sqlite", open_layout("auto", root).classes).close()
    assert export(root, tmp_path / "labels.json", "--format", "coco") == 0
    assert json.loads((tmp_path / "labels.json").read_text())["images"] == []
    assert "0 labels" in capsys.readouterr().out
