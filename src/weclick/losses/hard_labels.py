"""Learning from the memory's most probable classes as if they were a mask."""

from __future__ import annotations

from torch import Tensor

from weclick.conventions import IGNORE_INDEX


def hard_labels(soft_label: Tensor, valid: Tensor, confidence: float) -> Tensor:
    """Return the most probable class of each pixel, int64 (B, h, w).

    Args:
        soft_label: Probabilities (B, C, h, w).
        valid: Where there is a soft label, bool (B, 1, h, w); elsewhere ``IGNORE_INDEX`` is returned.
        confidence: Least probability of a class; below it ``IGNORE_INDEX`` is returned too.
    """
    probability, label = soft_label.max(1)
    return label.masked_fill((probability < confidence) | ~valid[:, 0], IGNORE_INDEX)
