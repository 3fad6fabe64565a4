"""The LightningModule behind teacher and student: network, loss terms, optimiser, schedule, validation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, ClassVar, TypedDict

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from weclick.classes import ClassSet
from weclick.errors import ConfigError, TrainingError
from weclick.inference.checkpoint import CLASS_KEY, STAGE_KEY, VERSION_KEY
from weclick.inference.rules import labels_at
from weclick.losses import Step
from weclick.losses.term import SUPPLIED_AS
from weclick.losses.terms import Auxiliary
from weclick.metrics import Scores, SegmentationScore
from weclick.models.factory import make_network
from weclick.modules.averaging import HorizonAveraging
from weclick.modules.options import ModuleOptions
from weclick.ragged import map_by_shape


class StepResult(TypedDict):
    """What a training step returns: the loss, by name the terms that are logged, and the logits of the batch's images."""

    loss: Tensor
    terms: dict[str, Tensor]
    logits: Tensor


class SegmentationModule(pl.LightningModule):
    """A network that learns to segment frames; see :mod:`weclick.conventions` for shapes.

    Args:
        classes: The data set's classes, as ``ClassSet.to_list()`` gives them.
        size: Working size (H, W) of the training frames; ``predict`` and ``export`` use it too.
        options: Network, optimiser and loss terms, also as a plain mapping.

    Raises:
        ConfigError: An option is impossible, a network or term does not exist, or no term has a weight.
    """

    stage: ClassVar[str]

    def __init__(
        self,
        classes: list[dict[str, Any]],
        size: Sequence[int],
        options: ModuleOptions | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.options = ModuleOptions.of(options, self.stage)
        self.terms = self.options.active
        if not self.terms:
            raise ConfigError(f"{self.stage}.terms has no term with a weight above 0: nothing would be learned")
        if "average" in self.options.needs and not self.options.optimiser.ema:
            raise ConfigError(
                f"{self.stage}.terms has a term that learns from averaged weights; set {self.stage}.optimiser.ema above 0"
            )
        # plain values only: checkpoints are loaded without running code
        self.save_hyperparameters({"classes": classes, "size": list(size), "options": asdict(self.options)})
        self.classes = ClassSet.from_list(classes)
        self.network = make_network(self.options.network, len(classes))
        # outside of the network: neither exported nor evaluated
        needs_head = any(isinstance(term, Auxiliary) for term in self.terms)
        self.auxiliary = self.network.auxiliary_head(len(classes)) if needs_head else None
        self.score = SegmentationScore(len(classes))
        self.scores: Scores | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of RGB images (B, 3, H, W) in 0..1."""
        logits: Tensor = self.network(images)
        return logits

    def setup(self, stage: str) -> None:
        """Compile the network if the options ask for it; not the module, as logging does not work in compiled code."""
        if stage == "fit" and self.options.network.compile:
            self.network.compile()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with linear warm-up and cosine decay over the whole training."""
        chosen = self.options.optimiser
        optimizer = torch.optim.AdamW(self.parameter_groups(), lr=chosen.learning_rate)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, total, chosen.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters by weight decay and learning rate; those of the network's encoder may have a lower rate."""
        chosen = self.options.optimiser
        encoder = getattr(self.network.body, "encoder", None)
        encoders = {id(p) for p in encoder.parameters()} if encoder is not None and chosen.encoder_rate != 1 else set()
        groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = defaultdict(list)
        for parameter in self.parameters():
            if parameter.requires_grad:
                groups[id(parameter) in encoders, parameter.ndim > 1].append(parameter)
        return [
            {
                "params": parameters,
                "lr": chosen.learning_rate * (chosen.encoder_rate if slow else 1),
                "weight_decay": chosen.weight_decay if decays else 0.0,
            }
            for (slow, decays), parameters in sorted(groups.items(), reverse=True)
        ]

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> StepResult:
        """Return the weighted sum of the loss terms, and each of them unweighted."""
        progress = self.global_step / max(float(self.trainer.estimated_stepping_batches), 1.0)
        self.refuse_incomplete(batch)
        step = self.step(batch, progress)
        values = {term.name: term(step) for term in self.terms}
        self.refuse_nonfinite(values)
        loss = torch.stack([term.weight_at(progress) * values[term.name] for term in self.terms]).sum()
        named = {"loss": loss, **{f"loss_{name}": value for name, value in values.items()}}
        terms = {name: value.detach() for name, value in named.items()}
        return {"loss": loss, "terms": terms, "logits": step.logits.detach()}

    def step(self, batch: Mapping[str, Any], progress: float) -> Step:
        """Run the network on a batch, and return what the loss terms get."""
        averaged = self._averaging.logits if "average" in self.options.needs else None
        if self.auxiliary is None:
            return Step(self(batch["image"]), batch, self, progress, averaged=averaged)
        logits, auxiliary = self.network(batch["image"], self.auxiliary)
        return Step(logits, batch, self, progress, auxiliary, averaged)

    @property
    def _averaging(self) -> HorizonAveraging:
        callbacks: Any = self.trainer.callbacks  # type: ignore[attr-defined]
        averaging = next((callback for callback in callbacks if isinstance(callback, HorizonAveraging)), None)
        if averaging is None:
            raise ConfigError("a term learns from averaged weights; give the trainer the callback HorizonAveraging")
        return averaging

    def refuse_incomplete(self, batch: Mapping[str, Any]) -> None:
        """Refuse a batch without what a loss term needs.

        Raises:
            ConfigError: The usual cause is a data module that was made without ``supplies``.
        """
        for term in self.terms:
            missing = sorted(need for need in term.needs if SUPPLIED_AS[need] not in batch)
            if missing:
                raise ConfigError(
                    f"the {self.stage}'s {term.name} loss needs {', '.join(missing)}, which the batch lacks; make the data "
                    "module with supplies for it, or set the term's weight to 0"
                )

    def refuse_nonfinite(self, terms: Mapping[str, Tensor]) -> None:
        """Stop a training that has diverged, before a checkpoint with its weights is saved.

        Raises:
            TrainingError: A loss term is infinite or not a number.
        """
        values = torch.stack(list(terms.values())).tolist()  # one transfer from the device, not one per term
        diverged = {name: value for name, value in zip(terms, values, strict=True) if not math.isfinite(value)}
        if diverged:
            raise self._diverged(f"{', '.join(diverged)} loss became {next(iter(diverged.values()))}")

    def _diverged(self, what: str) -> TrainingError:
        return TrainingError(
            f"the {self.stage}'s {what} at step {self.global_step}; start a new run with a lower "
            f"--{self.stage}.optimiser.learning_rate (now {self.options.optimiser.learning_rate:g})"
        )

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, list[Tensor]]:
        """Add a batch to the scores, and return its ``predictions`` at the labels' size."""
        images, labels = batch["image"], batch["label"]
        logits = map_by_shape(lambda _, alike: self(alike), images)
        predictions = [
            labels_at(one[None], image.shape[-2:], label.shape)[0]
            for one, image, label in zip(logits, images, labels, strict=True)
        ]
        for prediction, label in zip(predictions, labels, strict=True):
            self.score.update(prediction, label)
        return {"predictions": predictions}

    def on_validation_epoch_end(self) -> None:
        """Log the scores over all frames and processes."""
        self.scores = self.score.compute()
        self.score.reset()
        self.log("val/miou", self.scores.miou, prog_bar=True)
        self.log("val/accuracy", self.scores.accuracy)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add stage, class and version to the checkpoint.

        Raises:
            TrainingError: Weights are infinite or not a number, after a last step whose loss was finite; the earlier
                checkpoint is kept.
        """
        weights = [*checkpoint["state_dict"].items(), *checkpoint.get("current_model_state", {}).items()]
        for name, tensor in weights:  # averaged weights are saved beside those that are trained
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and not tensor.isfinite().all():
                raise self._diverged(f"weights {name} were no longer finite")
        checkpoint[STAGE_KEY] = self.stage
        checkpoint[CLASS_KEY] = f"{type(self).__module__}.{type(self).__qualname__}"
        checkpoint[VERSION_KEY] = version("weclick")


def learning_rate_factor(step: int, total: int, warmup: float) -> float:
    """Return the learning rate at a step as a share of its peak.

    It rises linearly over ``warmup * total`` steps, then falls to 0 on a half cosine.
    """
    rising = warmup * total
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(total - rising, 1))))
