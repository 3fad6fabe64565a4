"""Means of the loss terms over an epoch, also over one that was interrupted."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch


class EpochMeans(pl.Callback):
    """Logs ``train/loss`` and its terms as means over the samples of each epoch.

    Lightning's own means are not part of a checkpoint: after a resume they would be of the rest of the epoch. Terms come
    from ``training_step``, which returns them under ``terms``.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._samples = 0

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
        values = torch.stack(list(terms.values())).tolist()  # waits for the device once, not once per term
        for name, value in zip(terms, values, strict=True):
            self._sums[name] = self._sums.get(name, 0.0) + samples * value
        self._samples += samples

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the means and begin anew."""
        for name, value in self._sums.items():
            pl_module.log(f"train/{name}", value / self._samples, prog_bar=name == "loss")
        self._sums, self._samples = {}, 0

    def state_dict(self) -> dict[str, Any]:
        """Return what was added in this epoch."""
        return {"sums": self._sums, "samples": self._samples}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._sums, self._samples = dict(state["sums"]), state["samples"]
