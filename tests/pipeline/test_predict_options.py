"""Smoothing over frames, the split of time, and the picture drawn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.classes import ClassSet
from weclick.errors import ConfigError
from weclick.modules import ExportedModule, StudentModule
from weclick.pipeline.predict import Painter, Segmenter, Smoother, predict_with, segmenter

ENTRIES = [{"name": "road", "color": [200, 10, 20]}, {"name": "car"}, {"name": "sky"}]
CLASSES = ClassSet.from_list(ENTRIES)
SIZE = (64, 128)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return StudentModule(ENTRIES, SIZE, encoder="mobilenetv3_small_050", pretrained=False, width=8).eval()


def logits(*shares):
    """Return logits of one pixel whose softmax is ``shares``."""
    return torch.tensor(shares).log().reshape(1, -1, 1, 1)


def test_smoothing_by_hand():
    smoother = Smoother(0.75)
    assert smoother(logits(0.8, 0.2), SIZE).flatten().tolist() == pytest.approx([0.8, 0.2])
    assert smoother(logits(0.4, 0.6), SIZE).flatten().tolist() == pytest.approx([0.7, 0.3])
    assert smoother(logits(0.4, 0.6), SIZE).flatten().tolist() == pytest.approx([0.625, 0.375])


def test_a_frame_of_another_size_starts_anew():
    smoother = Smoother(0.9)
    smoother(logits(0.9, 0.1), (10, 10))
    assert smoother(logits(0.2, 0.8), (20, 20)).flatten().tolist() == pytest.approx([0.2, 0.8])
    assert smoother(logits(0.9, 0.1), (10, 10)).flatten().tolist() == pytest.approx([0.9, 0.1])


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.99), st.integers(0, 99))
def test_smoothed_probabilities_stay_probabilities(decay, seed):
    smoother = Smoother(decay)
    given = torch.randn(6, 1, 4, 3, 5, generator=torch.Generator().manual_seed(seed)) * 10
    for one in given:
        found = smoother(one, SIZE)
        assert found.min() >= 0
        torch.testing.assert_close(found.sum(1), torch.ones(1, 3, 5))


def test_frames_that_stay_the_same_stay_the_same():
    smoother = Smoother(0.6)
    same = torch.randn(1, 3, 2, 2)
    for _ in range(4):
        torch.testing.assert_close(smoother(same, SIZE), same.softmax(1))


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ConfigError, match="smooth must be 0 or more and below 1"):
        Smoother(decay)


def test_a_flickering_frame_keeps_the_labels_before_it():
    frames = iter([logits(0.9, 0.1), *[logits(0.2, 0.8)] * 3])
    segment = Segmenter(lambda image: next(frames), lambda size: (1, 1), Smoother(0.7))
    assert [int(segment(np.zeros((1, 1, 3), np.uint8))[0, 0]) for _ in range(4)] == [0, 0, 0, 1]


def test_a_little_smoothing_of_one_frame_changes_next_to_nothing(module):
    image = np.random.default_rng(0).integers(0, 256, (128, 256, 3), np.uint8)
    plain, smooth = segmenter(module)(image), segmenter(module, Smoother(0.5))(image)
    assert (plain == smooth).mean() > 0.98


def test_the_segmenter_tells_its_stages(module):
    segment = segmenter(module)
    image = np.zeros((128, 256, 3), np.uint8)
    segment(image)
    first = dict(segment.seconds)
    segment(image)
    assert first.keys() == {"prepare", "network", "post"}
    assert all(segment.seconds[stage] > first[stage] > 0 for stage in first)


class Exported(ExportedModule):
    """An exported model of one size, of which every pixel is a car."""

    def __init__(self, output):
        torch.nn.Module.__init__(self)
        card = type("Card", (), {"output": output, "size": (4, 6)})()
        labels = np.ones((1, 4, 6), np.uint8)
        scores = np.eye(3, dtype=np.float32)[labels].transpose(0, 3, 1, 2)
        self.network = torch.nn.Identity()
        self.network.card = card
        self.network.run = lambda image: scores if output == "logits" else labels


@pytest.mark.parametrize(("output", "smoother"), [("logits", None), ("logits", Smoother(0.5)), ("labels", None)])
def test_exported_models_give_labels_of_the_frames_size(output, smoother):
    labels = segmenter(Exported(output), smoother)(np.zeros((10, 20, 3), np.uint8))
    assert labels.dtype == np.uint8
    assert (labels == np.ones((10, 20))).all()


def test_smoothing_labels_is_refused():
    with pytest.raises(ConfigError, match="probabilities"):
        segmenter(Exported("labels"), Smoother(0.5))


@pytest.mark.parametrize(
    ("option", "value"), [("alpha", 1.5), ("alpha", float("nan")), ("smooth", 1.5), ("smooth", -1)]
)
def test_values_out_of_range_are_refused_before_the_checkpoint_is_read(tmp_path, option, value):
    with pytest.raises(ConfigError, match=f"{option} must be 0"):
        predict_with(tmp_path / "missing.ckpt", "x.mp4", tmp_path, **{option: value})


def grey(height=270, width=480):
    return np.full((height, width, 3), 100, np.uint8)


def test_the_picture_keeps_its_size_and_shows_colours_everywhere_but_in_the_legends_corner():
    image, ids = grey(), np.zeros((270, 480), np.uint8)
    drawn = Painter(CLASSES, 0.5)(image, ids)
    assert drawn.shape == image.shape
    assert (image == 100).all()
    assert (drawn[30:] == [150, 55, 60]).all() and (drawn[:, 100:] == [150, 55, 60]).all()
    assert (drawn[:14, :40] != [150, 55, 60]).any()


def test_the_legend_can_be_left_out():
    drawn = Painter(CLASSES, 0.5, legends=False)(grey(), np.zeros((270, 480), np.uint8))
    assert (drawn == [150, 55, 60]).all()


def test_the_legend_holds_the_classes_seen_so_far_and_is_drawn_anew_for_a_new_one(monkeypatch):
    named = []

    def legend(entries, size):
        named.append(([entry.name for entry in entries], size))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("weclick.pipeline.predict.legend", legend)
    painter = Painter(CLASSES, 0.5)
    ignored, road, speck = (
        np.full((270, 480), 255, np.uint8),
        np.zeros((270, 480), np.uint8),
        np.zeros((270, 480), np.uint8),
    )
    speck[0, :4] = 1
    sky = np.full((270, 480), 2, np.uint8)
    for ids in (ignored, road, road, speck, sky, road):
        painter(grey(), ids)
    painter(grey(100, 200), road[:100, :200])
    assert named == [(["road"], (270, 480)), (["road", "sky"], (270, 480)), (["road", "sky"], (100, 200))]
