"""Grown clicks are stored once and drawn like their images."""

import cv2
import numpy as np
import pytest
import torch

from weclick.clicks import Click
from weclick.conventions import IGNORE_INDEX, FrameKey
from weclick.data.draws import GeometricDraw
from weclick.data.grown import GrowingClicks
from weclick.data.index import Clip, Frame
from weclick.data.label_maps import GrownLabels, LabelMaps
from weclick.data.reader import FrameReader
from weclick.data.targets import TargetClicks
from weclick.errors import RunError

KEY = FrameKey("a video/part %2", 7)


@pytest.fixture
def store(tmp_path):
    return LabelMaps(tmp_path / "grown")


def clip(tmp_path, key=KEY):
    return Clip(Frame(key, tmp_path / "7.png"), ())


def test_labels_come_back_as_they_were_written(store):
    labels = np.random.default_rng(0).integers(0, 256, (6, 9), dtype=np.uint8)
    store.write(KEY, labels)
    assert np.array_equal(store.read(KEY, (12, 18)), labels)
    assert store.path(KEY).parent.parent == store.folder


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_damaged_file_is_named(store, content):
    store.write(KEY, np.zeros((6, 9), np.uint8))
    store.path(KEY).write_bytes(content)
    with pytest.raises(RunError, match=r"7\.png cannot be read; delete the file and resume"):
        store.read(KEY, (12, 18))


def test_a_map_of_another_size_is_named(store):
    store.write(KEY, np.zeros((9, 6), np.uint8))
    with pytest.raises(RunError, match=r"7\.png has the size \(9, 6\), not \(6, 9\); delete the file"):
        store.read(KEY, (12, 18))


def test_a_target_without_grown_clicks_has_no_labels(store, tmp_path):
    supply = GrownLabels(store, frozenset())
    assert (supply.read(clip(tmp_path), (12, 18))["grown"] == IGNORE_INDEX).all()


def grown_of(image, path, size):
    """Grow two clicks, made on a frame of a size, on an image in a file."""
    cv2.imwrite(str(path), image)
    clicks = TargetClicks({KEY: [Click(2, 2, 0), Click(28, 14, 1)]}, sizes={KEY: size})
    return GrowingClicks([Clip(Frame(KEY, path), ())], clicks, FrameReader((16, 32)), 0.2)[0]


def test_the_clicks_of_a_frame_grow_on_its_image(tmp_path):
    sample = grown_of(np.full((16, 32, 3), 90, np.uint8), tmp_path / "7.png", (16, 32))
    assert sample["key"] == KEY
    assert sample["labels"].shape == (8, 16)
    assert sample["labels"][1, 1] == 0 and sample["labels"][7, 14] == 1


def test_clicks_do_not_grow_on_an_image_that_cannot_be_read_or_is_another_one(tmp_path):
    other = grown_of(np.full((20, 40, 3), 90, np.uint8), tmp_path / "7.png", (16, 32))
    assert "its clicks were made on 32x16" in other["damaged"]
    (tmp_path / "8.png").write_bytes(b"no picture")
    clicks = TargetClicks({KEY: [Click(2, 2, 0), Click(28, 14, 1)]})
    unreadable = GrowingClicks([Clip(Frame(KEY, tmp_path / "8.png"), ())], clicks, FrameReader((16, 32)), 0.2)[0]
    assert "8.png" in unreadable["damaged"]


@pytest.mark.parametrize("seed", range(4))
def test_labels_are_drawn_like_the_image(tmp_path, seed):
    """Each column of the frame has a class of its own: the drawn labels name the column that the image shows there."""
    size, crop = (64, 96), (64, 64)
    store = LabelMaps(tmp_path / "grown")
    columns = np.repeat(np.arange(96, dtype=np.uint8)[None], 64, 0)
    store.write(KEY, columns)
    window = GeometricDraw(crop, (0.5, 2.0), 0.5).window(seed, size)
    supply = GrownLabels(store, frozenset({KEY}))
    read = supply.read(clip(tmp_path), (2 * size[0], 2 * size[1]))
    batch = {name: tensor[None] for name, tensor in read.items()}
    supply.complete(batch, torch.from_numpy(window.grid())[None])
    shown = window.label(columns)
    cells = batch["grown"][0].numpy()
    assert cells.shape == (16, 16)
    for row, column in np.ndindex(cells.shape):
        under = shown[4 * row + 1 : 4 * row + 3, 4 * column + 1 : 4 * column + 3].astype(int)
        if (under == IGNORE_INDEX).all():
            assert cells[row, column] == IGNORE_INDEX
        elif (under != IGNORE_INDEX).all():
            assert under.min() <= cells[row, column] <= under.max()
