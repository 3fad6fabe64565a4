"""Progress of a training without a terminal: a line per epoch instead of a bar."""

from __future__ import annotations

from time import monotonic

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_info


class EpochLines(pl.Callback):
    """Prints one line per epoch: its number, training loss, validation mIoU, time left."""

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
        rank_zero_info(f"epoch {done}/{total}  {values}  {left / 60:.1f} min left")
