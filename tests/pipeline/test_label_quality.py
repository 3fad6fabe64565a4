"""Accepted labels against masks: the figures of `weclick clicks stats`."""

import cv2
import numpy as np
import pytest

from weclick.clicks import ClickStore
from weclick.clicks.records import AcceptedLabel
from weclick.conventions import FrameKey
from weclick.data.layouts import open_layout
from weclick.pipeline.label_quality import label_quality

SIZE = (8, 16)


@pytest.fixture
def layout(tmp_path):
    """Two frames whose left half is class 0 and whose right half is class 1; the second has no mask."""
    for folder in ("frames/a", "masks/a", "frames/v"):
        (tmp_path / folder).mkdir(parents=True)
    mask = np.zeros(SIZE, np.uint8)
    mask[:, 8:] = 1
    cv2.imwrite(str(tmp_path / "masks/a/1.png"), mask)
    for name in ("a/1", "a/2", "v/1"):
        cv2.imwrite(str(tmp_path / f"frames/{name}.png"), np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / "classes.yaml").write_text("[road, car]\n")
    (tmp_path / "splits.yaml").write_text("train: [a]\nval: [v]\n")
    return open_layout("auto", tmp_path)


@pytest.fixture
def store(layout, tmp_path):
    with ClickStore.create(tmp_path / "c.sqlite", layout.classes) as opened:
        yield opened


def test_sure_pixels_are_compared_apart(store, layout):
    ids = np.zeros(SIZE, np.uint8)
    ids[:, 12:] = 1  # a quarter of all pixels is wrong, all of them unsure
    confidence = np.full(SIZE, 255, np.uint8)
    confidence[:, 8:12] = 10
    store.accept(FrameKey("a", 1), AcceptedLabel(ids, confidence))
    every, sure, _ = label_quality(store, layout)
    assert (every.sure, every.share, every.scores.accuracy) == (0.0, 1.0, 0.75)
    assert every.scores.iou == (8 / 12, 4 / 8)
    assert (sure.sure, sure.share, sure.scores.accuracy) == (0.5, 0.75, 1.0)


def test_a_label_without_a_mask_is_not_compared(store, layout):
    store.accept(FrameKey("a", 2), AcceptedLabel(np.zeros(SIZE, np.uint8), np.zeros((1, 1), np.uint8)))
    assert label_quality(store, layout) == []
