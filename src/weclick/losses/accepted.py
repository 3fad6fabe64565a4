"""Learning from accepted labels: segmentations that a person saw, corrected and accepted as right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from weclick.losses.cross_entropy import balanced_cross_entropy
from weclick.losses.term import LossTerm, Need, Step
from weclick.options import Share


@dataclass(frozen=True)
class AcceptedCrossEntropy(LossTerm):
    """Cross-entropy on accepted labels; ``data.clicks.sure`` says which of their pixels count.

    Args:
        weight: Weight of the cross-entropy. Targets without an accepted label have none.
        balance: How far the classes of a frame have the same weight, whatever their area: 0 not at all, 1 fully.
    """

    name: ClassVar[str] = "accepted"
    needs: ClassVar[frozenset[Need]] = frozenset({"accepted"})

    balance: Share = 0.0

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`balanced_cross_entropy` with the accepted labels of a step."""
        return balanced_cross_entropy(step.logits, step.batch["accepted"], self.balance)
