"""Temporal consistency: agreement of successive predictions along the motion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import Metric

from weclick.conventions import IGNORE_INDEX
from weclick.errors import ShapeError
from weclick.metrics.confusion import confusion_matrix, scores_from_confusion


@dataclass
class Consistency:
    """Temporal consistency of a network; fractions in 0..1, NaN if nothing was compared.

    Args:
        masked: Mean of ``masked_iou``.
        unmasked: Mean of ``unmasked_iou``.
        masked_iou: Per class, over reliable pixels; NaN if the class was never predicted there.
        unmasked_iou: Per class, over all pixels whose flow stays inside the image.
        coverage: Share of the inside pixels that are reliable.
    """

    masked: float
    unmasked: float
    masked_iou: tuple[float, ...]
    unmasked_iou: tuple[float, ...]
    coverage: float


class TemporalConsistency(Metric):
    """IoU of the prediction at t with the prediction at t+1 warped to t, pooled per class over all pairs of frames.

    It needs no labels and does not measure accuracy: a network that always predicts "road" scores 1.

    Shape:
        - update: prediction at t, next prediction warped to t (class ids, nearest), and the bool masks ``inside`` and
          ``reliable`` of the flow, all (H, W) or all (B, H, W), on the grid of t.
        - compute: :class:`Consistency`.

    Raises:
        ShapeError: Sizes differ.

    References:
        Liu et al., Efficient Semantic Video Segmentation with Per-frame Inference, ECCV 2020.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    inside_pairs: Tensor
    reliable_pairs: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        zeros = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        self.add_state("inside_pairs", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("reliable_pairs", zeros.clone(), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, warped_next: Tensor, inside: Tensor, reliable: Tensor) -> None:
        """Add one pair of frames, or a batch of pairs."""
        shapes = {tuple(t.shape) for t in (prediction, warped_next, inside, reliable)}
        if len(shapes) > 1:
            raise ShapeError(f"prediction, warped prediction and masks must have one shape, found {sorted(shapes)}")
        self.inside_pairs += self._count(prediction, warped_next, inside)
        self.reliable_pairs += self._count(prediction, warped_next, inside & reliable)

    def _count(self, prediction: Tensor, warped_next: Tensor, mask: Tensor) -> Tensor:
        return confusion_matrix(warped_next, prediction.masked_fill(~mask, IGNORE_INDEX), self.num_classes)

    def compute(self) -> Consistency:
        """Return the consistency over all pairs since the last reset."""
        masked, unmasked = scores_from_confusion(self.reliable_pairs), scores_from_confusion(self.inside_pairs)
        inside = int(self.inside_pairs.sum())
        return Consistency(
            masked=masked.miou,
            unmasked=unmasked.miou,
            masked_iou=masked.iou,
            unmasked_iou=unmasked.iou,
            coverage=int(self.reliable_pairs.sum()) / inside if inside else float("nan"),
        )
