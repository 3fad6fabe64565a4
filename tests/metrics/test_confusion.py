import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from weclick.conventions import IGNORE_INDEX
from weclick.errors import DataError, ShapeError
from weclick.metrics import SegmentationScore, scores_from_confusion

CLASSES = 4


def score(prediction, label, num_classes=CLASSES):
    metric = SegmentationScore(num_classes)
    metric.update(torch.tensor(prediction), torch.tensor(label))
    return metric.compute()


def by_sets(prediction, label):
    """IoU per class from the definition: intersection over union of pixel sets, among pixels that count."""
    counted = label != IGNORE_INDEX
    result = []
    for c in range(CLASSES):
        truth, guess = (label == c) & counted, (prediction == c) & counted
        union = (truth | guess).sum()
        result.append((truth & guess).sum() / union if union else math.nan)
    return np.array(result)


def test_values_by_hand():
    scores = score([[0, 0, 1, 1], [2, 2, 2, 0]], [[0, 0, 0, 1], [2, 2, 255, 2]])
    # class 0: 2 hits, 1 missed, 1 false; class 1: 1 hit, 1 false; class 2: 2 hits, 1 missed (the false one is ignored).
    assert scores.iou[:3] == (2 / 4, 1 / 2, 2 / 3)
    assert scores.miou == pytest.approx((2 / 4 + 1 / 2 + 2 / 3) / 3)
    assert scores.accuracy == pytest.approx(5 / 7)
    assert scores.class_accuracy[:3] == pytest.approx((2 / 3, 1, 2 / 3))
    assert scores.mean_class_accuracy == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert scores.confusion[0].tolist() == [2, 1, 0, 0]


def test_absent_class_is_nan_and_not_in_the_mean():
    scores = score([[0, 0]], [[0, 0]])
    assert scores.miou == 1.0
    assert all(math.isnan(value) for value in scores.iou[1:])


def test_class_predicted_but_never_true_has_iou_zero_and_no_accuracy():
    scores = score([[0, 3]], [[0, 0]])
    assert scores.iou[3] == 0.0
    assert math.isnan(scores.class_accuracy[3])
    assert scores.miou == pytest.approx(0.25)


def test_predictions_on_ignored_pixels_do_not_count():
    assert math.isnan(score([[0, 3]], [[0, 255]]).iou[3])


def test_nothing_counted_gives_nan_and_no_error():
    scores = score([[0, 3]], [[255, 255]])
    assert math.isnan(scores.miou) and math.isnan(scores.accuracy) and math.isnan(scores.mean_class_accuracy)


frames = npst.array_shapes(min_dims=2, max_dims=3, max_side=6).flatmap(
    lambda shape: st.tuples(
        npst.arrays(np.int64, shape, elements=st.integers(0, CLASSES - 1)),
        npst.arrays(np.int64, shape, elements=st.sampled_from([*range(CLASSES), IGNORE_INDEX])),
    )
)


@settings(deadline=None)
@given(frames)
def test_iou_equals_the_definition_by_sets(pair):
    prediction, label = pair
    scores = score(prediction, label)
    expected = by_sets(prediction, label)
    np.testing.assert_allclose(scores.iou, expected)
    if np.isfinite(expected).any():
        assert scores.miou == pytest.approx(np.nanmean(expected))


@settings(deadline=None)
@given(frames, frames)
def test_frames_add_up_as_if_they_were_one(first, second):
    metric = SegmentationScore(CLASSES)
    for prediction, label in (first, second):
        metric.update(torch.tensor(prediction), torch.tensor(label))
    prediction, label = (np.concatenate([a.ravel(), b.ravel()]) for a, b in zip(first, second, strict=True))
    np.testing.assert_array_equal(metric.compute().confusion, score(prediction, label).confusion)


@settings(deadline=None)
@given(frames)
def test_perfect_prediction_scores_one(pair):
    label = pair[1]
    scores = score(np.where(label == IGNORE_INDEX, 0, label), label)
    assert scores.miou == 1.0 or (label == IGNORE_INDEX).all()


def test_counts_stay_exact_beyond_float32():
    metric = SegmentationScore(2)
    metric.confusion += torch.tensor([[2**40, 0], [0, 0]])
    metric.update(torch.tensor([[0]]), torch.tensor([[0]]))
    assert metric.compute().confusion[0, 0] == 2**40 + 1


def test_deterministic_algorithms_need_no_more_memory():
    torch.use_deterministic_algorithms(True)
    try:
        # torchmetrics' own counting would ask for 1024 * 2048 * 19^2 integers here.
        frame = torch.zeros(1024, 2048, dtype=torch.int64)
        metric = SegmentationScore(19)
        metric.update(frame, frame)
    finally:
        torch.use_deterministic_algorithms(False)
    assert metric.compute().confusion[0, 0] == 1024 * 2048


def test_reset_copy_and_pickle():
    metric = SegmentationScore(2)
    metric.update(torch.tensor([[0]]), torch.tensor([[1]]))
    for twin in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert twin.compute().miou == 0.0
    metric.reset()
    assert metric.confusion.sum() == 0


def test_processes_are_reduced_by_sum():
    assert SegmentationScore(2)._reductions["confusion"] is not None
    parts = torch.stack([torch.eye(2, dtype=torch.int64), torch.ones(2, 2, dtype=torch.int64)])
    assert SegmentationScore(2)._reductions["confusion"](parts).tolist() == [[2, 1], [1, 2]]


def test_one_class():
    assert score([[0]], [[0]], num_classes=1).miou == 1.0


def test_sizes_must_agree():
    with pytest.raises(ShapeError, match=r"\(2, 2\).*\(2, 3\)"):
        score(np.zeros((2, 2), int), np.zeros((2, 3), int))


@pytest.mark.parametrize(
    ("prediction", "label", "named"), [(0, 33, "label.*33"), (4, 0, "prediction.*4"), (-1, 0, "-1")]
)
def test_unknown_ids_are_refused(prediction, label, named):
    with pytest.raises(DataError, match=named):
        score([[prediction]], [[label]])


def test_matrix_must_be_square():
    with pytest.raises(ShapeError, match="square"):
        scores_from_confusion(np.zeros((2, 3), np.int64))


@settings(deadline=None, max_examples=30)
@given(npst.arrays(np.int64, (19, 19), elements=st.sampled_from([0, 0, 0, 1, 7, 10**9])))
def test_equals_the_official_cityscapes_evaluator(matrix):
    official = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    ids = [label.id for label in official.labels if 0 <= label.trainId < 19]
    # Ignored truth gets predictions too: they must not matter.
    full = np.zeros((35, 35), np.int64)
    full[np.ix_(ids, ids)] = matrix
    full[0, ids] = 1000
    official.args.evalLabels = [label.id for label in official.labels if label.id >= 0]
    official_iou = {i: official.getIouScoreForLabel(i, full, official.args) for i in ids}
    scores = scores_from_confusion(matrix)
    np.testing.assert_allclose(scores.iou, list(official_iou.values()), atol=1e-9)
    np.testing.assert_allclose(scores.miou, official.getScoreAverage(official_iou, official.args), atol=1e-9)
