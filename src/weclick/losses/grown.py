"""Learning from grown clicks: the pixels around a click, as far as colours say that they belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from weclick.losses.cross_entropy import balanced_cross_entropy
from weclick.losses.term import LossTerm, Need, Step
from weclick.options import Share


@dataclass(frozen=True)
class GrownClicks(LossTerm):
    """Cross-entropy on the labels grown around clicks; ``data.clicks.grow`` says how far they grow.

    Args:
        weight: Weight of the cross-entropy. Targets without a click on every region have no grown clicks.
        balance: How far the classes of a frame have the same weight, whatever their area: 0 not at all, 1 fully.
    """

    name: ClassVar[str] = "grown"
    needs: ClassVar[frozenset[Need]] = frozenset({"grown"})

    balance: Share = 1.0

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`balanced_cross_entropy` with the grown labels of a step."""
        return balanced_cross_entropy(step.logits, step.batch["grown"], self.balance)
