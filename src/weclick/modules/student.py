"""The student: a light network that learns from clicks, memory and teacher, and then runs alone."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from weclick.flow import warp_to_target
from weclick.losses import resized, temporal_loss
from weclick.modules.base import SegmentationModule
from weclick.ranges import NonNegativeFloat, PositiveInt


class StudentModule(SegmentationModule):
    """Learns from what has a weight; neither teacher nor flow is part of it. See the base class for arguments and terms.

    Args:
        classes: The data set's classes, as ``ClassSet.to_list()`` gives them.
        size: Working size [H, W] of the frames it is trained on.
        etc_weight: Weight of ETC's temporal loss; above 0 the student also runs on each target's nearest neighbour.
        kwargs: See :class:`~weclick.modules.base.SegmentationModule`.
    """

    stage: ClassVar[str] = "student"

    def __init__(
        self,
        classes: list[dict[str, Any]],
        size: tuple[PositiveInt, PositiveInt],
        etc_weight: NonNegativeFloat = 0.0,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(classes, size, **kwargs)
        self.save_hyperparameters()
        self.hparams["size"] = list(size)

    def loss_terms(self, logits: Tensor, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return each term that is switched on, unweighted."""
        terms = super().loss_terms(logits, batch)
        if self.hparams["etc_weight"]:
            terms["etc"] = self._temporal_term(logits, batch)
        return terms

    def _temporal_term(self, logits: Tensor, batch: dict[str, Any]) -> Tensor:
        """Compare targets with their neighbours; targets without one are left out.

        The neighbours are a batch of their own, as in the authors' code: BatchNorm treats the targets as it would without
        them.
        """
        pair = batch["pair"]
        here, there = (resized(maps, pair.visible).softmax(1) for maps in (logits, self(pair.image)))
        warped, inside = warp_to_target(there, pair.flow)
        return temporal_loss(here[pair.found], warped[pair.found], (pair.visible * inside)[pair.found])

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each term at this step."""
        return super().loss_weights() | {"etc": self.hparams["etc_weight"]}
