import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError, ShapeError
from weclick.metrics import VideoConsistency


def consistency(n, *videos):
    metric = VideoConsistency(n)
    for video in videos:
        metric.reset_video()
        for prediction, label in video:
            metric.update(torch.as_tensor(np.asarray(prediction)), torch.as_tensor(np.asarray(label)))
    return metric.compute()


def by_windows(n, *videos):
    """VC_n from the definition, keeping all frames."""
    scores = []
    for video in videos:
        for start in range(len(video) - n + 1):
            window = video[start : start + n]
            first = window[0][1]
            steady = np.logical_and.reduce([(label == first) & (label != IGNORE_INDEX) for _, label in window])
            right = np.logical_and.reduce([prediction == label for prediction, label in window]) & steady
            if steady.any():
                scores.append(right.sum() / steady.sum())
    return float(np.mean(scores)) if scores else math.nan


def test_values_by_hand():
    video = [
        ([[0, 1, 0, 0]], [[0, 1, 1, 255]]),
        ([[0, 1, 1, 0]], [[0, 1, 1, 0]]),
        ([[1, 1, 1, 0]], [[0, 2, 1, 0]]),
    ]
    # Window 1: pixels 0, 1, 2 hold, 0 and 1 right throughout. Window 2: pixels 0, 2, 3 hold, 2 and 3 right.
    assert consistency(2, video) == pytest.approx((2 / 3 + 2 / 3) / 2)
    # Window of 3: pixels 0 and 2 hold, neither is right throughout.
    assert consistency(3, video) == 0.0


def test_constant_wrong_predictions_are_not_consistent():
    assert consistency(2, [([[1]], [[0]])] * 4) == 0.0


def test_no_window_reaches_over_a_gap():
    right, wrong = ([[0]], [[0]]), ([[1]], [[0]])
    assert consistency(2, [right, right], [wrong]) == 1.0
    assert consistency(2, [right, right, wrong]) == 0.5


def test_short_videos_have_no_window():
    assert math.isnan(consistency(3, [([[0]], [[0]])] * 2))


def test_windows_without_a_constant_label_are_left_out():
    assert consistency(2, [([[0]], [[0]]), ([[1]], [[1]]), ([[1]], [[1]])]) == 1.0


@st.composite
def video_sets(draw):
    labels = npst.arrays(np.int64, (2, 3), elements=st.sampled_from([0, 1, IGNORE_INDEX]), fill=st.nothing())
    predictions = npst.arrays(np.int64, (2, 3), elements=st.sampled_from([0, 0, 1]), fill=st.nothing())
    return draw(st.lists(st.lists(st.tuples(predictions, labels), min_size=1, max_size=5), min_size=1, max_size=2))


@settings(deadline=None)
@given(st.integers(1, 4), video_sets())
def test_streaming_equals_the_definition(n, videos):
    assert consistency(n, *videos) == pytest.approx(by_windows(n, *videos), nan_ok=True, abs=1e-6)


def test_memory_does_not_grow_with_the_video():
    metric = VideoConsistency(16)
    frame = torch.zeros(4, 4, dtype=torch.int64)
    for _ in range(50):
        metric.update(frame, frame)
    assert sum(tensor.numel() for tensor in metric._last) == 3 * frame.numel()
    assert metric.windows == 35


def test_reset_clears_video_and_windows():
    metric = VideoConsistency(2)
    frame = torch.zeros(1, 1, dtype=torch.int64)
    metric.update(frame, frame)
    metric.update(frame, frame)
    metric.reset()
    metric.update(frame, frame)
    assert metric.windows == 0


def test_frames_may_be_reused_by_the_caller():
    metric = VideoConsistency(2)
    label = torch.zeros(1, 1, dtype=torch.int64)
    metric.update(label, label)
    label += 1
    metric.update(label, label)
    assert metric.windows == 0


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="n = 0"):
        VideoConsistency(0)
    metric = VideoConsistency(2)
    with pytest.raises(ShapeError, match="one frame"):
        metric.update(torch.zeros(2, 2), torch.zeros(2, 3))
    metric.update(torch.zeros(2, 2), torch.zeros(2, 2))
    with pytest.raises(ShapeError, match="reset_video"):
        metric.update(torch.zeros(3, 3), torch.zeros(3, 3))
