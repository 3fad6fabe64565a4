"""Means of the loss terms over an epoch, of all processes, also over an epoch that was interrupted."""

from __future__ import annotations

from typing import Any, Final

import lightning.pytorch as pl
import torch

from weclick.reporting.metrics_file import MetricsFile

KEY: Final = "epoch_means"
"""Where a checkpoint holds what was added so far in an epoch."""


class EpochMeans(pl.Callback):
    """Logs ``train/loss`` and its terms as means over the samples that all processes saw in an epoch.

    Lightning's own means are not part of a checkpoint: after a resume they would be of the rest of the epoch. Terms come
    from ``training_step``, which returns them under ``terms``.

    The row is written before the epoch's checkpoint is saved, and a resumed run removes the rows after its checkpoint: so a run
    that was killed at any time has each row once.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._samples = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remove the rows of steps that this process trains again."""
        for logger in trainer.loggers:
            if isinstance(logger, MetricsFile):
                logger.rewind(trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        """Add a batch."""
        samples, terms = len(batch["image"]), outputs["terms"]
        if not terms:  # skipped
            return
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + samples * float(value)
        self._samples += samples

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the means and start the next epoch at 0."""
        sums, samples = self._over_processes(trainer)
        means = {f"train/{name}": value / samples for name, value in sums.items()}
        for name, value in means.items():
            pl_module.log(name, value, prog_bar=name == "train/loss", logger=False)
        for logger in trainer.loggers if means else ():
            # not through the module: Lightning would write that only after it has saved the checkpoint
            logger.log_metrics({**means, "epoch": trainer.current_epoch}, step=trainer.global_step - 1)
        self._sums, self._samples = {}, 0

    def _over_processes(self, trainer: pl.Trainer) -> tuple[dict[str, float], int]:
        """Return the sum of each term and the number of samples, over all processes."""
        if trainer.world_size == 1:
            return self._sums, self._samples
        # the number of samples travels with the sums: one reduction instead of two
        own = [*self._sums.values(), float(self._samples)]
        summed = torch.tensor(own, dtype=torch.float64, device=trainer.strategy.root_device)
        *sums, samples = trainer.strategy.reduce(summed, reduce_op="sum").tolist()
        return dict(zip(self._sums, sums, strict=True)), int(samples)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save what all processes added in this epoch; all take part, though only the first one writes the file."""
        sums, samples = self._over_processes(trainer)
        checkpoint[KEY] = {"sums": dict(sums), "samples": samples}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Continue from a checkpoint: the first process takes the sums of all, so that none counts twice."""
        state = checkpoint[KEY]
        first = trainer.global_rank == 0
        self._sums = {name: value if first else 0.0 for name, value in state["sums"].items()}
        self._samples = state["samples"] if first else 0
