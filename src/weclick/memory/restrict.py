"""Removing classes that are absent from a target."""

from __future__ import annotations

from torch import Tensor

from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels


def restrict(labels: SoftLabels, present: Tensor) -> SoftLabels:
    """Set the probability of absent classes to 0, and scale that of the present ones to the same sum.

    Where every instance has its click, a class without a click is absent.

    Args:
        labels: Of the targets.
        present: Classes that each target holds, bool (B, C); all False where they are unknown, which changes nothing.
    """
    allowed = (present | ~present.any(1, keepdim=True))[:, :, None, None].to(labels.teacher.dtype)
    memory = labels.memory
    return SoftLabels(
        _rescaled(labels.teacher, allowed), Memory(_rescaled(memory.probabilities, allowed), memory.confidence)
    )


def _rescaled(probabilities: Tensor, allowed: Tensor) -> Tensor:
    """Give each pixel's sum to the allowed classes."""
    kept = probabilities * allowed + 1e-6 * allowed  # where all probability is on absent classes, present ones share it
    return kept * (probabilities.sum(1, keepdim=True) / kept.sum(1, keepdim=True))
