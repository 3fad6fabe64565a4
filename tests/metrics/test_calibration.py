import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassCalibrationError

from weclick.errors import ConfigError, DataError, ShapeError
from weclick.metrics import CalibrationError


def error(prediction, probability, label, bins=15):
    metric = CalibrationError(bins)
    metric.update(torch.tensor(prediction), torch.tensor(probability), torch.tensor(label))
    return metric.compute()


def frame(seed, pixels=40):
    """Probabilities (pixels, 3) and labels, some to be ignored."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 4, (pixels,), generator=generator)
    return (2 * torch.randn(pixels, 3, generator=generator)).softmax(1), label.masked_fill(label == 3, 255)


def update(metric, probabilities, label):
    top = probabilities.max(1)
    metric.update(top.indices, top.values, label)


def test_value_by_hand():
    # two bins: up to 1/2, none of two pixels is right, mean probability 0.4; above 1/2, one of two, mean probability 0.8
    value = error([0, 0, 1, 1], [0.3, 0.5, 0.7, 0.9], [1, 1, 1, 0], bins=2)
    assert value == pytest.approx((2 * abs(0 - 0.4) + 2 * abs(0.5 - 0.8)) / 4)


def test_a_bin_includes_its_upper_edge():
    assert error([0, 0], [0.5, 0.75], [0, 0], bins=2) == pytest.approx((0.5 + 0.25) / 2)
    # in a single bin the errors would cancel: one right, one wrong, mean probability 1/2
    assert error([0, 0], [0.25, 0.75], [0, 1], bins=2) == pytest.approx((0.75 + 0.75) / 2)
    assert error([0, 0], [0.25, 0.75], [0, 1], bins=1) == 0


def test_the_error_of_certain_predictions_is_0_if_right_and_1_if_wrong():
    assert error([0, 1], [1.0, 1.0], [0, 1]) == 0
    assert error([0, 1], [1.0, 1.0], [1, 0]) == 1
    assert error([0, 1], [0.0, 0.0], [1, 0]) == 0


def test_ignored_pixels_do_not_count():
    assert error([0, 0], [1.0, 1.0], [0, 255]) == 0
    assert math.isnan(error([0], [1.0], [255]))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 20))
def test_equals_torchmetrics(seed, bins):
    probabilities, label = frame(seed)
    theirs = MulticlassCalibrationError(3, n_bins=bins, ignore_index=255)
    theirs.update(probabilities, label)
    ours = CalibrationError(bins)
    update(ours, probabilities, label)
    assert ours.compute() == pytest.approx(float(theirs.compute()), abs=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=4))
def test_frames_add_up_exactly_in_any_order(seeds):
    metrics = [CalibrationError() for _ in range(3)]
    for seed in seeds:
        update(metrics[0], *frame(seed))
    for seed in reversed(seeds):
        update(metrics[1], *frame(seed))
    update(metrics[2], *(torch.cat(parts) for parts in zip(*map(frame, seeds), strict=True)))
    assert metrics[0].compute() == metrics[1].compute() == metrics[2].compute()


def test_processes_are_reduced_by_sum():
    parts = [CalibrationError() for _ in range(2)]
    both = CalibrationError()
    for seed, part in enumerate(parts):
        for metric in (part, both):
            update(metric, *frame(seed))
    for name, reduce in both._reductions.items():
        assert torch.equal(reduce(torch.stack([getattr(part, name) for part in parts])), getattr(both, name))


def test_the_state_does_not_grow():
    metric = CalibrationError()
    sizes = []
    for seed in range(3):
        update(metric, *frame(seed, pixels=1000))
        sizes.append(len(pickle.dumps(metric.metric_state)))
    assert len(set(sizes)) == 1


def test_reset_clears_the_state():
    metric = CalibrationError()
    update(metric, *frame(0))
    metric.reset()
    assert not any(state.any() for state in metric.metric_state.values())


@pytest.mark.parametrize("value", [1.5, -0.1, math.nan])
def test_values_outside_0_to_1_are_refused(value):
    with pytest.raises(DataError, match=r"0\.\.1"):
        error([0, 0], [0.5, value], [0, 0])


def test_sizes_must_agree():
    with pytest.raises(ShapeError, match=r"\(1,\).*\(2,\)"):
        error([0], [0.5], [0, 1])


def test_at_least_one_bin_is_needed():
    with pytest.raises(ConfigError, match="found 0"):
        CalibrationError(0)
