"""The student: a light network that learns from clicks, memory and teacher, and then runs alone."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from weclick.losses import distillation
from weclick.memory.draw import known
from weclick.modules.arms import ARMS, ArmName
from weclick.modules.base import SegmentationModule, StepResult
from weclick.ranges import NonNegativeFloat, PositiveFloat, PositiveInt


class StudentModule(SegmentationModule):
    """Learns what its arm says; neither teacher nor flow is part of it. See the base class for further arguments.

    Args:
        classes: The data set's classes, as ``ClassSet.to_list()`` gives them.
        size: Working size [H, W] of the frames it is trained on.
        arm: Which loss terms: ``clicks``, ``kd``, ``mfd``, ``weclick`` or ``full``.
        kd_weight: Weight of vanilla distillation.
        mfd_weight: Weight of Memory Flow Distillation.
        temperature: tau of vanilla distillation.
        kwargs: See :class:`~weclick.modules.base.SegmentationModule`.
    """

    stage: ClassVar[str] = "student"

    def __init__(
        self,
        classes: list[dict[str, Any]],
        size: tuple[PositiveInt, PositiveInt],
        arm: ArmName = "weclick",
        kd_weight: NonNegativeFloat = 1.0,
        mfd_weight: NonNegativeFloat = 1.0,
        temperature: PositiveFloat = 1.0,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(classes, size, **kwargs)
        self.save_hyperparameters()
        self.hparams["size"] = list(size)
        self.arm = ARMS[arm]

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> StepResult:
        """Return the weighted sum of the arm's loss terms."""
        terms = self.loss_terms(self(batch["image"]), batch)
        self.refuse_broken(terms)
        weights = {"supervised": 1.0, "kd": self.hparams["kd_weight"], "mfd": self.hparams["mfd_weight"]}
        loss = sum((weights[name] * term for name, term in terms.items()), start=terms["supervised"].new_zeros(()))
        named = {"loss": loss, **{f"loss_{name}": term for name, term in terms.items()}}
        return {"loss": loss, "terms": {name: term.detach() for name, term in named.items()}}

    def loss_terms(self, logits: Tensor, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return each loss term of the arm, unweighted."""
        terms = {"supervised": self.supervised_loss(logits, batch)}
        if "kd" in self.arm.terms:
            recall = batch["recall"]
            terms["kd"] = distillation(logits, recall.teacher, known(recall), temperature=self.hparams["temperature"])
        if "mfd" in self.arm.terms:
            memory = batch["recall"].memory
            terms["mfd"] = distillation(logits, memory.probabilities, (memory.confidence > 0).float())
        return terms
