"""Progress of a training: a bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

from time import monotonic
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_info
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor


class EpochLines(pl.Callback):
    """Prints one line per epoch: stage, its number from 1, training loss, validation mIoU, time left."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._first = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._begun, self._first = monotonic(), trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the line of this epoch."""
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 0
        # epochs of an earlier process do not count: it may have run on another machine
        left = (monotonic() - self._begun) / (done - self._first) * max(total - done, 0)
        metrics = trainer.callback_metrics
        values = "  ".join(
            f"{name} {float(metrics[name]):.4f}" for name in ("train/loss", "val/miou") if name in metrics
        )
        rank_zero_info(f"{epoch_text(trainer, pl_module)}  {values}  {left / 60:.1f} min left")


class EpochBar(pl.Callback):
    """Draws one bar over the steps of a whole stage on stderr, with epoch, loss, validation mIoU and time left."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("steps{task.fields[values]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=Console(stderr=True),
            expand=True,
        )
        self._task = self._progress.add_task("", start=False, total=None, values="")
        self._values: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar; steps of an earlier process count as done, but not for the time left."""
        self._progress.update(
            self._task,
            description=epoch_text(trainer, pl_module),
            total=int(trainer.estimated_stepping_batches),
            completed=trainer.global_step,
        )
        self._progress.start_task(self._task)
        self._progress.start()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Move the bar."""
        self._progress.update(self._task, description=epoch_text(trainer, pl_module), completed=trainer.global_step)
        if outputs["terms"]:  # else it was skipped
            self._show("loss", outputs["terms"]["loss"])

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the new mIoU."""
        if "val/miou" in trainer.callback_metrics:
            self._show("val/miou", trainer.callback_metrics["val/miou"])

    def _show(self, name: str, value: Tensor) -> None:
        self._values[name] = float(value)
        text = "".join(f"  {name} {value:.3f}" for name, value in self._values.items())
        self._progress.update(self._task, values=text)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the bar as it is, also after an interruption."""
        self._progress.stop()


def epoch_text(trainer: pl.Trainer, pl_module: pl.LightningModule) -> str:
    """Return which stage and epoch this is, counted from 1."""
    return f"{pl_module.stage}  epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
