"""Progress: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_info
from rich.console import Console
from rich.progress import Progress

from weclick.processes import process_rank


def on_terminal() -> bool:
    """Tell whether a progress bar can be drawn, and drawn by this process."""
    return sys.stderr.isatty() and process_rank() == 0


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function (done, total) that moves a progress bar on stderr, if that is a terminal."""
    with Progress(console=Console(stderr=True), transient=True, disable=not on_terminal()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class EpochLines(pl.Callback):
    """Prints one line per epoch: number, values of the progress bar, time left."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._first = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._begun, self._first = monotonic(), trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the line of this epoch."""
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 0
        left = (monotonic() - self._begun) / (done - self._first) * max(total - done, 0)
        metrics = trainer.callback_metrics
        values = "  ".join(
            f"{name} {float(metrics[name]):.4f}" for name in ("train/loss", "val/miou") if name in metrics
        )
        rank_zero_info(f"epoch {done}/{total}  {values}  {left / 60:.1f} min left")
