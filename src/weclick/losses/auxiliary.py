"""Loss of a network's auxiliary head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from weclick.losses.cross_entropy import partial_cross_entropy
from weclick.losses.term import LossTerm, Step


@dataclass(frozen=True)
class Auxiliary(LossTerm):
    """Cross-entropy of the auxiliary head, which exists in training only and only if this term has a weight.

    Args:
        weight: Weight of the head's loss; 0.4 in the paper below.

    References:
        Zhao et al.: Pyramid Scene Parsing Network, CVPR 2017, section 3.3.
    """

    name: ClassVar[str] = "auxiliary"

    def __call__(self, step: Step) -> Tensor:
        """Return the cross-entropy of the head on the labels of a step."""
        assert step.auxiliary is not None  # the module makes the head if the term has a weight
        return partial_cross_entropy(step.auxiliary, step.batch["labels"])
