"""What teacher and student share: network, optimiser, schedule, evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, ClassVar, TypedDict

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from weclick.classes import ClassSet
from weclick.errors import TrainingError
from weclick.inference.checkpoint import STAGE_KEY, VERSION_KEY
from weclick.inference.rules import labels_at
from weclick.losses import absence, balanced_cross_entropy, distillation, gated_crf, partial_cross_entropy, resized
from weclick.memory.draws import known
from weclick.metrics import Scores, SegmentationScore
from weclick.models import make_network
from weclick.ranges import NonNegativeFloat, PositiveFloat, PositiveInt, PositiveShare, Share, check_ranges


class StepResult(TypedDict):
    """What a training step returns: the loss, and by name what :class:`~weclick.reporting.means.EpochMeans` logs."""

    loss: Tensor
    terms: dict[str, Tensor]


class SegmentationModule(pl.LightningModule):
    """A network that learns to segment frames; see :mod:`weclick.conventions` for shapes.

    Args:
        classes: The data set's classes, as ``ClassSet.to_list()`` gives them.
        size: Working size [H, W] of the frames it is trained on; ``predict`` and ``export`` go by it.
        network: ``light``, ``lraspp``, or an architecture of segmentation_models.pytorch.
        encoder: Encoder of the network, a timm name (``tu-NAME`` inside segmentation_models.pytorch).
        pretrained: Start the encoder from ImageNet weights.
        width: Channels of the light network's head.
        strides: Encoder strides the light network fuses; logits have the first, the encoder ends at the last.
        scale: Share of the image's sides at which the network works.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Of weights; biases and normalisation are left alone.
        warmup: Share of all steps over which the learning rate rises; then it falls to 0 on a half cosine.
        ema: Horizon over which the evaluated weights are averaged, as a share of all steps; 0 turns averaging off.
        channels_last: Memory format of the convolutions.
        compile: Compile the network with torch.compile.
        supervised_weight: Weight of the cross-entropy; 0 leaves learning to the other terms.
        balanced: Let every clicked class of a frame weigh the same in the cross-entropy, however many clicks it has.
        absence_weight: Weight of the class-absence loss: a class that was not clicked in a frame is not there.
        crf_weight: Weight of the gated CRF loss: labels change where colours change.
        crf_ramp: Share of all steps over which the weight of the CRF rises from 0.
        kd_weight: Weight of vanilla distillation; above 0 it needs a teacher, a teacher an earlier one.
        mfd_weight: Weight of Memory Flow Distillation; needs the same.
        temperature: tau of vanilla distillation.

    Raises:
        ConfigError: A number is outside of the range its type states, or there is no such network.
    """

    stage: ClassVar[str]

    def __init__(
        self,
        classes: list[dict[str, Any]],
        size: tuple[PositiveInt, PositiveInt],
        network: str = "light",
        encoder: str = "tf_efficientnet_lite0",
        pretrained: bool = True,
        width: PositiveInt = 64,
        strides: tuple[PositiveInt, ...] = (4, 8, 16, 32),
        scale: PositiveShare = 1.0,
        learning_rate: PositiveFloat = 1e-3,
        weight_decay: NonNegativeFloat = 1e-2,
        warmup: Share = 0.1,
        ema: Share = 0.05,
        channels_last: bool = True,
        compile: bool = False,
        supervised_weight: NonNegativeFloat = 1.0,
        balanced: bool = False,
        absence_weight: NonNegativeFloat = 0.0,
        crf_weight: NonNegativeFloat = 0.0,
        crf_ramp: Share = 0.25,
        kd_weight: NonNegativeFloat = 0.0,
        mfd_weight: NonNegativeFloat = 0.0,
        temperature: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        check_ranges(type(self), self.hparams, self.stage)  # the student's own options too: Lightning collects them
        self.hparams["size"], self.hparams["strides"] = list(size), list(strides)
        self.classes = ClassSet.from_list(classes)
        self.network = make_network(
            network,
            encoder,
            num_classes=len(classes),
            pretrained=pretrained,
            width=width,
            strides=strides,
            scale=scale,
        )
        if channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)
        self.score = SegmentationScore(len(classes))
        self.scores: Scores | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of RGB images (B, 3, H, W) in 0..1."""
        logits: Tensor = self.network(images)
        return logits

    def setup(self, stage: str) -> None:
        """Compile the network where asked to."""
        if stage == "fit" and self.hparams["compile"]:
            self.network.compile()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with linear warm-up and cosine decay over the whole budget."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.hparams["weight_decay"]},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams["learning_rate"])
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, total, self.hparams["warmup"])
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> StepResult:
        """Return the weighted sum of the loss terms."""
        terms = self.loss_terms(self(batch["image"]), batch)
        self.refuse_broken(terms)
        weights = self.loss_weights()
        loss = sum((weights[name] * term for name, term in terms.items()), start=terms["supervised"].new_zeros(()))
        named = {"loss": loss, **{f"loss_{name}": term for name, term in terms.items()}}
        return {"loss": loss, "terms": {name: term.detach() for name, term in named.items()}}

    def loss_terms(self, logits: Tensor, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return each term that is switched on, unweighted; ``supervised`` is always."""
        cross_entropy = balanced_cross_entropy if self.hparams["balanced"] else partial_cross_entropy
        terms = {"supervised": cross_entropy(logits, batch["labels"])}
        if self.hparams["absence_weight"]:
            terms["absence"] = absence(logits, batch["present"])
        if self.hparams["crf_weight"]:
            inside = batch["inside"]
            terms["crf"] = gated_crf(resized(logits, inside), batch["image"], inside)
        if self.hparams["kd_weight"]:
            recall = batch["recall"]
            terms["kd"] = distillation(logits, recall.teacher, known(recall), temperature=self.hparams["temperature"])
        if self.hparams["mfd_weight"]:
            memory = batch["recall"].memory
            believed = memory.probabilities.sum(1, keepdim=True).clamp(max=1)
            terms["mfd"] = distillation(logits, memory.probabilities, believed * (memory.confidence > 0))
        return terms

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each term at this step."""
        steps = self.hparams["crf_ramp"] * self.trainer.estimated_stepping_batches if self.hparams["crf_weight"] else 0
        risen = min(1.0, self.global_step / steps) if steps else 1.0
        return {
            "supervised": self.hparams["supervised_weight"],
            "absence": self.hparams["absence_weight"],
            "crf": risen * self.hparams["crf_weight"],
            "kd": self.hparams["kd_weight"],
            "mfd": self.hparams["mfd_weight"],
        }

    def refuse_broken(self, terms: Mapping[str, Tensor]) -> None:
        """Stop a training that has diverged, while the last checkpoint is still sound.

        Raises:
            TrainingError: A loss term is infinite or not a number.
        """
        values = torch.stack(list(terms.values())).tolist()  # waits for the device once, not once per term
        broken = {name: value for name, value in zip(terms, values, strict=True) if not math.isfinite(value)}
        if broken:
            raise TrainingError(
                f"the {self.stage}'s {', '.join(broken)} loss became {next(iter(broken.values()))} at step "
                f"{self.global_step}; start a new run with a lower --{self.stage}.learning_rate (now "
                f"{self.hparams['learning_rate']:g})"
            )

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, list[Tensor]]:
        """Score one batch and return its ``predictions`` at the labels' size."""
        images, labels = batch["image"], batch["label"]
        predictions = [
            labels_at(one[None], images.shape[-2:], label.shape)[0]
            for one, label in zip(self(images), labels, strict=True)
        ]
        for prediction, label in zip(predictions, labels, strict=True):
            self.score.update(prediction, label)
        return {"predictions": predictions}

    def on_validation_epoch_end(self) -> None:
        """Log the scores over all frames and processes."""
        self._finish_scores("val")

    def test_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, list[Tensor]]:
        """Score one batch, as in validation."""
        return self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """Log the scores over all frames and processes."""
        self._finish_scores("test")

    def _finish_scores(self, prefix: str) -> None:
        self.scores = self.score.compute()
        self.score.reset()
        self.log(f"{prefix}/miou", self.scores.miou, prog_bar=True, sync_dist=False, rank_zero_only=False)
        self.log(f"{prefix}/accuracy", self.scores.accuracy)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the checkpoint say which stage it is of, and which version wrote it."""
        checkpoint[STAGE_KEY] = self.stage
        checkpoint[VERSION_KEY] = version("weclick")


def learning_rate_factor(step: int, total: int, warmup: float) -> float:
    """Share of the peak learning rate at a step: linear up over ``warmup * total`` steps, half cosine down to 0."""
    rising = warmup * total
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(total - rising, 1))))
