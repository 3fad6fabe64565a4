"""The LightningModule behind teacher and student: network, loss terms, optimiser, schedule, validation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.utils import get_total_norm

from weclick.classes import ClassSet
from weclick.errors import ConfigError, TrainingError
from weclick.inference.checkpoint import CLASS_KEY, STAGE_KEY, VERSION_KEY
from weclick.inference.rules import labels_at
from weclick.losses import Step
from weclick.losses.shared import over_processes
from weclick.losses.term import SUPPLIED_AS
from weclick.losses.terms import Auxiliary
from weclick.metrics import Scores, SegmentationScore
from weclick.models.factory import make_network
from weclick.modules.averaging import HorizonAveraging
from weclick.modules.options import ModuleOptions
from weclick.modules.skips import KEY, Buffers, Skips, describe_infinite, keep_batch
from weclick.ragged import map_by_shape


class StepResult(TypedDict):
    """What a training step returns: the loss, by name the terms that are logged, and the logits of the batch's images.

    The terms are on the CPU. A batch that is skipped has none, and its loss has no gradient.
    """

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
        self.skips = Skips()
        self._buffers_before: Buffers | None = None
        self._batch: Mapping[str, Any] | None = None
        self._frames: list[str] = []

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of RGB images (B, 3, H, W) in 0..1."""
        logits: Tensor = self.network(images)
        return logits

    def setup(self, stage: str) -> None:
        """Compile the network if the options ask for it; not the module, as logging does not work in compiled code."""
        self._buffers_before = None  # the buffers of an earlier fit may be others
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
        self._save_buffers()
        step = self.step(batch, progress)
        values = {term.name: term(step) for term in self.terms}
        loss = torch.stack([term.weight_at(progress) * values[term.name] for term in self.terms]).sum()
        terms, finite = self._read({"loss": loss, **{f"loss_{name}": value for name, value in values.items()}})
        if not finite:
            self._skip(batch, describe_infinite(terms))
            return {"loss": self._nothing(), "terms": {}, "logits": step.logits.detach()}
        self._batch = batch
        self._frames += batch.get("frame", ())
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

    # Batches that are skipped

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take no step, and change no weight, if all its batches were skipped or its gradients are not finite."""
        # with accumulated gradients, the last part of the batch and all its frames
        batch, frames = self._batch, self._frames
        self._batch, self._frames = None, []
        if batch is None:
            optimizer.zero_grad()  # AdamW leaves alone what has no gradient; with one of zeros it would go on as before
        elif self._has_finite_gradients():
            self.skips.in_a_row = 0
        else:
            optimizer.zero_grad()
            self._skip({**batch, "frame": frames}, "gradients were not finite")

    def _has_finite_gradients(self) -> bool:
        """Return whether all gradients are finite, in all processes."""
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return True  # float16 is scaled until they are: meanwhile the scaler itself skips the step
        # the fastest norm; it overflows where gradients exceed 1e19, which no training survives either
        norm = get_total_norm([p.grad for p in self.parameters() if p.grad is not None])
        return not over_processes((~norm.isfinite()).float())

    def _save_buffers(self) -> None:
        if self._buffers_before is None:
            self._buffers_before = Buffers(self)
        self._buffers_before.save()

    def _read(self, values: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
        """Return values on the CPU, by one transfer for all, and whether they are finite in all processes."""
        stacked = torch.stack(list(values.values())).detach()
        infinite = over_processes((~stacked.isfinite()).any().float())
        *read, infinite = torch.cat((stacked, infinite[None])).cpu()
        return dict(zip(values, read, strict=True)), not infinite

    def _nothing(self) -> Tensor:
        """Return a loss of which no weight has a gradient but 0, as all processes exchange gradients in every step."""
        return torch.stack([(p * 0).sum() for p in self.parameters() if p.requires_grad]).sum()

    def _skip(self, batch: Mapping[str, Any], what: str) -> None:
        """Skip a batch, in all processes at once, and keep it if it is this process's share that is not finite.

        Args:
            batch: The batch.
            what: What was not finite; empty if it was in another process.

        Raises:
            TrainingError: Too many were skipped.
        """
        assert self._buffers_before is not None
        self._buffers_before.restore()
        self.skips.add()
        folder, trainer = Path(self.trainer.default_root_dir) / "skipped", self.trainer
        if what:
            share = f"-process-{trainer.global_rank}" if trainer.world_size > 1 else ""
            reason = f"the {self.stage}'s {what} at step {self.global_step}"
            keep_batch(folder / f"step-{self.global_step:06d}{share}.pt", batch, reason)
        if self.skips.too_many:
            before = f"{self.skips.too_many} were skipped before, see {folder}: repair their frames, or "
            raise self._diverged(what or "loss was not finite in another process", before)

    def _diverged(self, what: str, remedy: str = "") -> TrainingError:
        return TrainingError(
            f"the {self.stage}'s {what} at step {self.global_step}; {remedy}start a new run with a lower "
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
        checkpoint[KEY] = self.skips.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue counting skipped batches; older checkpoints hold no count."""
        self.skips.load(checkpoint.get(KEY, (0, 0)))


def learning_rate_factor(step: int, total: int, warmup: float) -> float:
    """Return the learning rate at a step as a share of its peak.

    It rises linearly over ``warmup * total`` steps, then falls to 0 on a half cosine.
    """
    rising = warmup * total
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(total - rising, 1))))
