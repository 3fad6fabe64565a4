"""The interface of a loss term, one summand of a training step's loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple

from weclick.conventions import Tensor
from weclick.options import NonNegativeFloat, Options

Need = Literal["teacher", "memory", "neighbour", "average", "grown", "accepted"]
"""What a term needs besides image, labels and present classes; the data module supplies it to the terms in use."""

SOFT: Final[frozenset[Need]] = frozenset({"teacher", "memory"})
"""What a term needs if it learns from soft labels."""

SUPPLIED_AS: Final[Mapping[Need, str]] = {
    "teacher": "soft_labels",
    "memory": "soft_labels",
    "neighbour": "pair",
    "average": "plain",
    "grown": "grown",
    "accepted": "accepted",
}
"""The entry of a batch that holds it."""


class Step(NamedTuple):
    """What a loss term gets of a training step.

    Shape:
        logits (B, C, h, w) of the batch's images; batch: see :func:`weclick.data.finish.finish`; forward: the network in
        training, images (B, 3, H, W) to logits; progress: share of the training that is done, 0..1; auxiliary: logits
        (B, C, h, w) of the auxiliary head, if the training has one; averaged: the network with averaged weights, like forward
        but without gradient, if the training averages them.
    """

    logits: Tensor
    batch: Mapping[str, Any]
    forward: Callable[[Tensor], Tensor]
    progress: float = 0.0
    auxiliary: Tensor | None = None
    averaged: Callable[[Tensor], Tensor] | None = None


def ramped(weight: float, progress: float, ramp: float) -> float:
    """Return a weight that rises linearly from 0 until a share ``ramp`` of the training is done."""
    return weight * min(1.0, progress / ramp) if ramp else weight


@dataclass(frozen=True)
class LossTerm(Options):
    """Base of all loss terms. A subclass is a frozen dataclass whose fields are its options.

    Attributes:
        name: Of the term in configs and metrics (``train/loss_NAME``).
        needs: What it needs besides clicks.

    Args:
        weight: Of the term in the sum; 0 turns it off.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset()

    weight: NonNegativeFloat = 0.0

    def weight_at(self, progress: float) -> float:
        """Return the weight when this share of the training is done; override it for a weight that changes."""
        return self.weight

    def __call__(self, step: Step) -> Tensor:
        """Return the unweighted loss, a scalar; 0 with zero gradient if there is nothing to learn from."""
        # not an ABC: jsonargparse would take each term for a class to choose, and not for a group of options
        raise NotImplementedError
