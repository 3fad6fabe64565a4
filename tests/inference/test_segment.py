"""Smoothing over frames, and the split of time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.errors import ConfigError
from weclick.inference.segment import Segmenter, Smoother

SIZE = (64, 128)


def of_pixel(*shares):
    """Return the class probabilities of one pixel."""
    return np.array(shares, np.float32).reshape(1, -1, 1, 1)


def test_smoothing_by_hand():
    smoother = Smoother(0.75)
    assert smoother(of_pixel(0.8, 0.2), SIZE).flatten().tolist() == pytest.approx([0.8, 0.2])
    assert smoother(of_pixel(0.4, 0.6), SIZE).flatten().tolist() == pytest.approx([0.7, 0.3])
    assert smoother(of_pixel(0.4, 0.6), SIZE).flatten().tolist() == pytest.approx([0.625, 0.375])


def test_a_frame_of_another_size_starts_anew():
    smoother = Smoother(0.9)
    smoother(of_pixel(0.9, 0.1), (10, 10))
    assert smoother(of_pixel(0.2, 0.8), (20, 20)).flatten().tolist() == pytest.approx([0.2, 0.8])
    assert smoother(of_pixel(0.9, 0.1), (10, 10)).flatten().tolist() == pytest.approx([0.9, 0.1])


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.99), st.integers(0, 99))
def test_smoothed_probabilities_stay_probabilities(decay, seed):
    smoother = Smoother(decay)
    given = torch.randn(6, 1, 4, 3, 5, generator=torch.Generator().manual_seed(seed)) * 10
    for one in given.softmax(2):
        smoothed = smoother(one, SIZE)
        assert smoothed.min() >= -1e-6
        torch.testing.assert_close(smoothed.sum(1), torch.ones(1, 3, 5))


def test_frames_that_stay_the_same_stay_the_same():
    smoother = Smoother(0.6)
    same = torch.randn(1, 3, 2, 2).softmax(1)
    for _ in range(4):
        torch.testing.assert_close(smoother(same, SIZE), same)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, float("nan")])
def test_a_decay_out_of_range_is_refused(model, decay):
    with pytest.raises(ConfigError, match="smooth must be 0 or more and below 1"):
        Segmenter(model, decay)


def test_a_flickering_frame_keeps_the_labels_before_it(exported, monkeypatch):
    flickering = exported((1, 1))
    frames = iter(np.log([of_pixel(0.9, 0.1, 1e-9), *[of_pixel(0.2, 0.8, 1e-9)] * 3]))
    monkeypatch.setattr(flickering, "run", lambda image: next(frames))
    segment = Segmenter(flickering, 0.7)
    assert [int(segment(np.zeros((1, 1, 3), np.uint8))[0, 0]) for _ in range(4)] == [0, 0, 0, 1]


def test_a_little_smoothing_of_one_frame_changes_next_to_nothing(model):
    image = np.random.default_rng(0).integers(0, 256, (128, 256, 3), np.uint8)
    assert (Segmenter(model)(image) == Segmenter(model, 0.5)(image)).mean() > 0.98


def test_without_smoothing_it_gives_the_models_labels_and_its_stages(model):
    segment, image = Segmenter(model), np.random.default_rng(0).integers(0, 256, (128, 200, 3), np.uint8)
    np.testing.assert_array_equal(segment(image), model.labels(image))
    first = dict(segment.seconds)
    segment(image)
    assert first.keys() == {"prepare", "network", "post"}
    assert all(segment.seconds[stage] > first[stage] > 0 for stage in first)


def test_smoothing_labels_is_refused(exported):
    with pytest.raises(ConfigError, match="probabilities"):
        Segmenter(exported(output="labels"), 0.5)
