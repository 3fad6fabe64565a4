"""Pictures of what goes into training and what comes out, on disk and in Weights & Biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.files import write_bytes, writing
from weclick.reporting.loggers import trackers_of
from weclick.reporting.media import iou_scores
from weclick.reporting.plots import plot_curves
from weclick.reporting.samples import Sample, disc_centres, sheet_of
from weclick.reporting.stages import read_metrics

SAMPLES: Final = 4
"""Frames shown of a batch."""
SHOWN: Final = 5
"""How often a training shows frames, besides at its start."""


class SamplePictures(pl.Callback):
    """Writes ``train_samples.png``, ``val_samples.png`` and ``curves.png`` into a folder.

    Training frames are shown as the network gets them, with their clicks, soft labels and prediction: at the start, and after
    each fifth of the training. These, and the validation frames of the same times, also go to Weights & Biases.

    Args:
        folder: The stage's folder.
        classes: Names and colours.
        clicked: Whether the labels are discs around clicks, and not dense masks.
    """

    def __init__(self, folder: Path, classes: ClassSet, *, clicked: bool = True) -> None:
        self.folder = folder
        self.classes = classes
        self.clicked = clicked
        self._kept: list[Sample] = []
        self._shown: dict[str, int] = {}

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        """Show the first samples of an epoch's first batch, if it is time."""
        skipped = not outputs["terms"]
        if batch_idx or skipped or trainer.global_rank or not self._is_time(trainer, "train/samples"):
            return
        count = min(SAMPLES, len(batch["image"]))
        samples = [training_sample(batch, outputs["logits"], i, clicked=self.clicked) for i in range(count)]
        write_picture(self.folder / "train_samples.png", sheet_of(samples, self.classes))
        self._log(trainer, "train/samples", samples)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first frames of each validation."""
        # of one batch only: the predictions of a whole validation may not fit into memory
        if batch_idx == 0 and not trainer.sanity_checking and trainer.global_rank == 0:
            frames = zip(batch["key"], batch["image"], batch["label"], outputs["predictions"], strict=True)
            self._kept = [
                Sample.of(str(key), image, {"truth": label, "prediction": prediction})
                for key, image, label, prediction in list(frames)[:SAMPLES]
            ]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the kept frames; log the IoU of each class and, if it is time, the frames."""
        if not self._kept or trainer.global_rank:
            return
        write_picture(self.folder / "val_samples.png", sheet_of(self._kept, self.classes))
        for tracker in trackers_of(trainer.loggers):
            scores: Any = pl_module.scores
            tracker.log_metrics(iou_scores("val", scores.iou, self.classes), trainer.global_step)
        if self._is_time(trainer, "val/samples"):
            self._log(trainer, "val/samples", self._kept)

    def _is_time(self, trainer: pl.Trainer, key: str) -> bool:
        """Return whether another fifth of the training is done since the last pictures, and take note of it."""
        done = SHOWN * (trainer.current_epoch + 1) // max(trainer.max_epochs or 1, 1)
        due = done > self._shown.get(key, -1)
        self._shown[key] = done
        return due

    def _log(self, trainer: pl.Trainer, key: str, samples: list[Sample]) -> None:
        for tracker in trackers_of(trainer.loggers):
            tracker.log_samples(key, samples, self.classes, trainer.global_step)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the curves of the whole run."""
        rows = read_metrics(self.folder / "metrics.csv")
        if rows and trainer.global_rank == 0:
            write_bytes(self.folder / "curves.png", plot_curves(rows))


def training_sample(batch: dict[str, Any], logits: Tensor, index: int, *, clicked: bool) -> Sample:
    """Return one frame of a training batch as the network gets it, with what it learns from and what it predicts.

    Args:
        batch: Batch of a training; what it lacks is left out.
        logits: Of its images, (B, C, h, w).
        index: Which frame.
        clicked: Whether the labels are discs around clicks.
    """
    layers: dict[str, Tensor] = {name: batch[name][index] for name in ("grown", "accepted") if name in batch}
    if "soft_labels" in batch:
        soft = batch["soft_labels"]
        memory = soft.memory.probabilities * (soft.memory.confidence > 0)
        layers |= {"teacher": likeliest(soft.teacher[index]), "memory": likeliest(memory[index])}
    labels = batch["labels"][index]
    if not clicked:
        layers["truth"] = labels
    layers["prediction"] = logits[index].argmax(0)
    return Sample.of("", batch["image"][index], layers, disc_centres(labels) if clicked else ())


def likeliest(probabilities: Tensor) -> Tensor:
    """Return the likeliest class of soft labels (C, h, w); ignored where a draw left less than half."""
    return probabilities.argmax(0).masked_fill(probabilities.sum(0) <= 0.5, IGNORE_INDEX)


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a PNG, RGB (H, W, 3) or grey (H, W), atomically.

    Raises:
        DataError: The disk is full, or the folder cannot be written.
    """
    # encoded in memory: cv2.imwrite writes in place and returns False on a full disk, without the reason
    _, encoded = cv2.imencode(".png", image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    with writing(path):
        write_bytes(path, encoded.tobytes())
