"""Pictures of what goes into training and what comes out, on disk and in Weights & Biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX, Size
from weclick.files import write_bytes, writing
from weclick.inference.drawing import overlay, panel
from weclick.reporting.loggers import SafeWandb
from weclick.reporting.plots import plot_curves
from weclick.reporting.stages import read_metrics

TRAINING_SAMPLES = 4
VALIDATION_SAMPLES = 4


class SamplePictures(pl.Callback):
    """Writes ``train_samples.png`` (first batch, with click discs), ``val_samples.png`` and ``curves.png`` into a folder.

    Args:
        folder: The stage's folder.
        classes: Names and colours.
    """

    def __init__(self, folder: Path, classes: ClassSet) -> None:
        self.folder = folder
        self.classes = classes
        self._kept: list[dict[str, Any]] = []

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        """Write the first samples of the first batch, as the network gets them."""
        file = self.folder / "train_samples.png"
        # a resumed run keeps the picture it began with
        if batch_idx or trainer.global_rank or file.exists():
            return
        rows = [self._training_row(batch, index) for index in range(min(TRAINING_SAMPLES, len(batch["image"])))]
        write_picture(file, np.concatenate(rows))

    def _training_row(self, batch: dict[str, Any], index: int) -> NDArray[np.uint8]:
        image = picture(batch["image"][index])
        pictures = [("sample", image), ("labels", overlay(image, ids(batch["labels"][index]), self.classes, alpha=1.0))]
        if "soft_labels" in batch:
            soft = batch["soft_labels"]
            memory = soft.memory.probabilities * (soft.memory.confidence > 0)
            for title, maps in (("teacher", soft.teacher), ("memory", memory)):
                pictures.append((title, overlay(image, likeliest(maps[index], image.shape[:2]), self.classes)))
        return panel(pictures)

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
            self._kept = [
                comparison(batch["image"][i], batch["label"][i], outputs["predictions"][i])
                for i in range(min(VALIDATION_SAMPLES, len(batch["image"])))
            ]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the kept frames, and log them to Weights & Biases."""
        if not self._kept or trainer.global_rank:
            return
        rows = [comparison_panel(entry, self.classes) for entry in self._kept]
        write_picture(self.folder / "val_samples.png", np.concatenate(rows))
        for logger in trainer.loggers:
            if isinstance(logger, SafeWandb):
                logger.log_overlays("val/samples", self._kept, self.classes)
                scores = getattr(pl_module, "scores", None)
                if scores is not None:
                    logger.log_class_table("val/iou_per_class", self.classes, scores.iou)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the curves of the whole run."""
        rows = read_metrics(self.folder / "metrics.csv")
        if rows and trainer.global_rank == 0:
            write_bytes(self.folder / "curves.png", plot_curves(rows))


def likeliest(probabilities: Tensor, size: Size) -> NDArray[np.uint8]:
    """Return the likeliest class of soft labels (C, h, w) at a size (H, W); ignored where a draw left less than half."""
    labels = probabilities.argmax(0).masked_fill(probabilities.sum(0) <= 0.5, IGNORE_INDEX)
    return cv2.resize(ids(labels), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)


def comparison(image: Tensor, label: Tensor, prediction: Tensor) -> dict[str, Any]:
    """Return image, truth and prediction of one frame as arrays of the image's size."""
    shown = picture(image)
    size = (shown.shape[1], shown.shape[0])
    maps = {"truth": label, "prediction": prediction}
    resized = {k: cv2.resize(ids(v), size, interpolation=cv2.INTER_NEAREST_EXACT) for k, v in maps.items()}
    return {"image": shown, **resized}


def comparison_panel(entry: dict[str, Any], classes: ClassSet) -> NDArray[np.uint8]:
    """Return image, truth and prediction side by side."""
    image = entry["image"]
    names = ("truth", "prediction")
    return panel([("image", image), *((name, overlay(image, entry[name], classes)) for name in names)])


def picture(image: Tensor) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) from float (3, H, W) in 0..1."""
    array: NDArray[np.uint8] = (image.detach().float().cpu() * 255).round().byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(array)


def ids(labels: Tensor) -> NDArray[np.uint8]:
    """Return labels as uint8."""
    array: NDArray[np.uint8] = labels.detach().cpu().numpy().astype(np.uint8)
    return array


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a PNG, RGB (H, W, 3) or grey (H, W), atomically.

    Raises:
        DataError: The disk is full, or the folder cannot be written.
    """
    # encoded in memory: cv2.imwrite writes in place and returns False on a full disk, without the reason
    _, encoded = cv2.imencode(".png", image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    with writing(path):
        write_bytes(path, encoded.tobytes())
