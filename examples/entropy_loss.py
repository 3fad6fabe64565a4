"""A loss term from outside: predictions should be certain where there are no clicks.

    weclick --import entropy_loss fit --config demo.yaml --student.terms.extra \
        '[{class_path: entropy_loss.Entropy, init_args: {weight: 0.01}}]'

A loss term is a dataclass derived from ``weclick.losses.LossTerm``: a ``name`` (its metric is ``train/loss_NAME``), ``needs``
(any of ``teacher``, ``memory``, ``neighbour``; the data module then supplies them), its options as fields, and one method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from weclick.conventions import IGNORE_INDEX
from weclick.losses import LossTerm, Step
from weclick.losses.resize import resized


@dataclass(frozen=True)
class Entropy(LossTerm):
    """Mean entropy of the predictions at pixels without a label.

    Args:
        weight: Weight of the term.
        start: Share of the training before which the weight is 0, as early predictions are mostly wrong.

    References:
        Grandvalet and Bengio, Semi-supervised Learning by Entropy Minimization, NIPS 2004.
    """

    name: ClassVar[str] = "entropy"

    start: float = 0.5

    def weight_at(self, progress: float) -> float:
        """Return 0 before ``start``, then the weight."""
        return self.weight if progress >= self.start else 0.0

    def __call__(self, step: Step) -> Tensor:
        """Return the mean entropy in nats."""
        labels: Tensor = step.batch["labels"]
        logarithms = resized(step.logits, labels).log_softmax(1)
        entropy = -(logarithms.exp() * logarithms).sum(1)
        free = labels == IGNORE_INDEX
        return (entropy * free).sum() / free.sum().clamp(min=1)
