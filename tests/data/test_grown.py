"""Grown clicks are stored once and drawn like their images."""

import numpy as np
import pytest
import torch

from weclick.conventions import IGNORE_INDEX, FrameKey
from weclick.data.draws import GeometricDraw
from weclick.data.grown import GrownLabels, GrownStore
from weclick.data.index import Clip, Frame
from weclick.errors import RunError

KEY = FrameKey("a video/part %2", 7)


@pytest.fixture
def store(tmp_path):
    return GrownStore(tmp_path / "grown")


def clip(tmp_path, key=KEY):
    return Clip(Frame(key, tmp_path / "7.png"), ())


def test_labels_come_back_as_they_were_written(store):
    labels = np.random.default_rng(0).integers(0, 256, (6, 9), dtype=np.uint8)
    store.write(KEY, labels)
    assert np.array_equal(store.read(KEY), labels)
    assert store.path(KEY).parent.parent == store.folder


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_damaged_file_is_named(store, content):
    store.write(KEY, np.zeros((2, 2), np.uint8))
    store.path(KEY).write_bytes(content)
    with pytest.raises(RunError, match=r"7\.png cannot be read; delete the file and resume"):
        store.read(KEY)


def test_a_target_without_grown_clicks_has_no_labels(store, tmp_path):
    supply = GrownLabels(store, (6, 9), frozenset())
    assert (supply.read(clip(tmp_path))["grown"] == IGNORE_INDEX).all()


@pytest.mark.parametrize("seed", range(4))
def test_labels_are_drawn_like_the_image(store, tmp_path, seed):
    """Each column of the frame has a class of its own: the drawn labels name the column that the image shows there."""
    size, crop = (64, 96), (64, 64)
    columns = np.repeat(np.arange(96, dtype=np.uint8)[None], 64, 0)
    store.write(KEY, columns)
    window = GeometricDraw(size, crop, (0.5, 2.0), 0.5).window(seed)
    supply = GrownLabels(store, size, frozenset({KEY}))
    batch = {name: tensor[None] for name, tensor in supply.read(clip(tmp_path)).items()}
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
