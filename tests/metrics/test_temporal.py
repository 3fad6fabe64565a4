import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from weclick.errors import ShapeError
from weclick.metrics import TemporalConsistency


def consistency(*pairs, num_classes=3):
    metric = TemporalConsistency(num_classes)
    for pair in pairs:
        metric.update(*(torch.as_tensor(np.asarray(array)) for array in pair))
    return metric.compute()


def test_values_by_hand():
    result = consistency(([[0, 0, 1, 1]], [[0, 1, 1, 2]], [[True, True, True, False]], [[True, False, True, True]]))
    # Inside: (0,0), (0,1), (1,1). Reliable and inside: (0,0), (1,1).
    assert result.unmasked_iou[:2] == (1 / 2, 1 / 2)
    assert result.unmasked == 0.5
    assert result.masked == 1.0
    assert math.isnan(result.masked_iou[2])
    assert result.coverage == pytest.approx(2 / 3)


def test_counts_are_pooled_over_pairs_before_dividing():
    on = [[True, True]]
    result = consistency(([[0, 0]], [[0, 0]], on, on), ([[0, 1]], [[1, 1]], on, on))
    assert result.masked_iou[:2] == (2 / 3, 1 / 2)


def test_steady_prediction_scores_one():
    labels = torch.arange(12).reshape(3, 4) % 3
    on = torch.ones(3, 4, dtype=torch.bool)
    result = consistency((labels, labels, on, on))
    assert result.masked == result.unmasked == result.coverage == 1.0


def test_nothing_inside_is_nan():
    off = [[False]]
    result = consistency(([[0]], [[0]], off, off))
    assert math.isnan(result.masked) and math.isnan(result.unmasked) and math.isnan(result.coverage)


def test_accepts_warped_ids_as_floats():
    on = torch.ones(1, 2, dtype=torch.bool)
    assert consistency((torch.tensor([[0, 2]]), torch.tensor([[0.0, 2.0]]), on, on)).masked == 1.0


@st.composite
def pairs(draw):
    shape = draw(npst.array_shapes(min_dims=2, max_dims=3, max_side=5))
    labels = npst.arrays(np.int64, shape, elements=st.integers(0, 2))
    masks = npst.arrays(np.bool_, shape)
    return tuple(draw(strategy) for strategy in (labels, labels, masks, masks))


@settings(deadline=None)
@given(st.lists(pairs(), min_size=1, max_size=3))
def test_equals_the_definition(drawn):
    result = consistency(*drawn)
    for masked, values in ((False, result.unmasked_iou), (True, result.masked_iou)):
        for c, value in enumerate(values):
            both = either = 0
            for now, following, inside, reliable in drawn:
                mask = inside & reliable if masked else inside
                both += int(((now == c) & (following == c) & mask).sum())
                either += int((((now == c) | (following == c)) & mask).sum())
            assert value == pytest.approx(both / either if either else math.nan, nan_ok=True)


@settings(deadline=None)
@given(pairs())
def test_direction_of_time_does_not_matter(drawn):
    now, following, inside, reliable = drawn
    a, b = consistency(drawn), consistency((following, now, inside, reliable))
    np.testing.assert_allclose(a.masked_iou, b.masked_iou)


def test_sizes_must_agree():
    on = torch.ones(2, 2, dtype=torch.bool)
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        consistency((torch.zeros(2, 2), torch.zeros(2, 2), on, torch.ones(1, 2, 2, dtype=torch.bool)))
