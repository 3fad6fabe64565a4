"""Leaving out classes that a target is known not to hold."""

from __future__ import annotations

from torch import Tensor

from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels


def restrict(recall: SoftLabels, present: Tensor) -> SoftLabels:
    """Leave only classes that the target holds: the others' probability is shared out among these in proportion.

    With one click per instance, a class without a click is known not to be there.

    Args:
        recall: Of the targets.
        present: Classes that each target holds, bool (B, C); a target of which nothing is known stays as it is.
    """
    allowed = (present | ~present.any(1, keepdim=True))[:, :, None, None].to(recall.teacher.dtype)
    memory = recall.memory
    return SoftLabels(
        _shared(recall.teacher, allowed), Memory(_shared(memory.probabilities, allowed), memory.confidence)
    )


def _shared(probabilities: Tensor, allowed: Tensor) -> Tensor:
    """Let the allowed classes have each pixel's sum."""
    kept = probabilities * allowed + 1e-6 * allowed  # where all that was thought of is absent, any present class may be
    return kept * (probabilities.sum(1, keepdim=True) / kept.sum(1, keepdim=True))
