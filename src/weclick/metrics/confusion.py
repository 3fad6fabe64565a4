"""Agreement of predictions with labels, from one int64 confusion matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from weclick.conventions import IGNORE_INDEX
from weclick.errors import DataError, ShapeError


@dataclass
class Scores:
    """Scores of a confusion matrix; fractions in 0..1, NaN for a division by zero.

    Not frozen, because torchmetrics copies the result of ``compute`` and cannot copy a frozen dataclass.

    Args:
        miou: Mean of ``iou`` over the classes where it is not NaN.
        accuracy: Share of correct pixels.
        mean_class_accuracy: Mean of ``class_accuracy`` over the classes where it is not NaN.
        iou: Per class, TP / (TP + FP + FN); NaN if the class is neither in the labels nor predicted.
        class_accuracy: Per class, TP / (TP + FN); NaN if the class is not in the labels.
        confusion: Pixel counts, int64 (C, C); rows are the true classes, columns the predicted ones.
    """

    miou: float
    accuracy: float
    mean_class_accuracy: float
    iou: tuple[float, ...]
    class_accuracy: tuple[float, ...]
    confusion: np.ndarray

    def without_iou(self) -> Scores:
        """Return the scores with NaN for every IoU, as for labels that are single pixels and show no area."""
        return replace(self, miou=math.nan, iou=(math.nan,) * len(self.iou))


def confusion_matrix(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Count pixels by (true class, predicted class); pixels whose label is ``IGNORE_INDEX`` are ignored.

    Shape:
        - prediction, label: class ids, any shape, the same for both.
        - returns: int64 (num_classes, num_classes), rows are the true classes.

    Raises:
        ShapeError: Sizes differ; the usual cause is a prediction at the network's instead of the label's resolution.
        DataError: A class id is not in 0..num_classes - 1; the usual cause is a label that was not mapped to train ids.
    """
    if prediction.shape != label.shape:
        raise ShapeError(
            f"prediction {tuple(prediction.shape)} and label {tuple(label.shape)} differ; resize the prediction first"
        )
    counted = label != IGNORE_INDEX
    truth, guess = label[counted].long(), prediction[counted].long()
    for name, ids in (("label", truth), ("prediction", guess)):
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < num_classes:
            raise DataError(
                f"the {name} contains class ids {int(ids.min())}..{int(ids.max())}, allowed are 0..{num_classes - 1}"
            )
    # Not torchmetrics' bincount: with deterministic algorithms it needs pixels * C^2 integers, 6 GB per Cityscapes
    # frame. torch.bincount without weights is deterministic anyway.
    return torch.bincount(truth * num_classes + guess, minlength=num_classes**2).reshape(num_classes, num_classes)


def scores_from_confusion(matrix: np.ndarray | Tensor) -> Scores:
    """Compute all scores from a confusion matrix whose rows are the true classes.

    Equals the official Cityscapes evaluator: a class is left out of the mean (NaN) only if its TP + FP + FN is 0. A class
    that is predicted but absent from the labels has IoU 0 and lowers the mean.

    Example:
        >>> scores_from_confusion(np.array([[3, 1], [0, 4]])).iou
        (0.75, 0.8)

    References:
        cityscapesscripts, ``evalPixelLevelSemanticLabeling.getIouScoreForLabel`` and ``getScoreAverage``.
    """
    counts = matrix.cpu().numpy() if isinstance(matrix, Tensor) else matrix
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ShapeError(f"a confusion matrix must be square, found {counts.shape}")
    hits, in_truth, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    iou = _ratio(hits, in_truth + predicted - hits)
    class_accuracy = _ratio(hits, in_truth)
    return Scores(
        miou=_mean(iou),
        accuracy=float(_ratio(hits.sum(), counts.sum())),
        mean_class_accuracy=_mean(class_accuracy),
        iou=tuple(iou.tolist()),
        class_accuracy=tuple(class_accuracy.tolist()),
        confusion=counts.astype(np.int64),
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


class SegmentationScore(Metric):
    """Accumulates the confusion matrix over frames and processes.

    Shape:
        - update: prediction and label, class ids (B, H, W) or (H, W), at the label's resolution.
        - compute: :class:`Scores`.

    Example:
        >>> score = SegmentationScore(num_classes=2)
        >>> score.update(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 255]]))
        >>> score.compute().miou
        1.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    confusion: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        zeros = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        self.add_state("confusion", zeros, dist_reduce_fx="sum")

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add one frame or batch; see :func:`confusion_matrix`."""
        self.confusion += confusion_matrix(prediction, label, self.num_classes)

    def compute(self) -> Scores:
        """Return the scores over all pixels since the last reset."""
        return scores_from_confusion(self.confusion)
