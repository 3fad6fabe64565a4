"""Learning from the memory's most probable classes as if they were a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from weclick.conventions import IGNORE_INDEX
from weclick.losses.cross_entropy import balanced_cross_entropy
from weclick.losses.term import LossTerm, Need, Step
from weclick.options import Share


def hard_labels(soft_label: Tensor, valid: Tensor, confidence: float) -> Tensor:
    """Return the most probable class of each pixel, int64 (B, h, w).

    Args:
        soft_label: Probabilities (B, C, h, w).
        valid: Where there is a soft label, bool (B, 1, h, w); elsewhere ``IGNORE_INDEX`` is returned.
        confidence: Least probability of a class; below it ``IGNORE_INDEX`` is returned too.
    """
    probability, label = soft_label.max(1)
    return label.masked_fill((probability < confidence) | ~valid[:, 0], IGNORE_INDEX)


@dataclass(frozen=True)
class HardLabels(LossTerm):
    """Cross-entropy with the memory's most probable classes: self-training.

    Args:
        weight: Weight of the cross-entropy; needs the same as Memory Flow Distillation.
        confidence: Least probability of a class in the memory to learn it.
        balance: How far the classes of a frame have the same weight, whatever their area: 0 not at all, 1 fully.

    References:
        Zou et al.: Unsupervised Domain Adaptation for Semantic Segmentation via Class-Balanced Self-Training, ECCV 2018.
    """

    name: ClassVar[str] = "hard"
    needs: ClassVar[frozenset[Need]] = frozenset({"memory"})

    confidence: Share = 0.5
    balance: Share = 0.5

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`balanced_cross_entropy` with the memory's :func:`hard_labels`."""
        memory = step.batch["soft_labels"].memory
        labels = hard_labels(memory.probabilities, memory.confidence > 0, self.confidence)
        return balanced_cross_entropy(step.logits, labels, self.balance)
