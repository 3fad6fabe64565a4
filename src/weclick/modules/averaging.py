"""Averaged weights: what is evaluated and kept is the exponential moving average of what is trained."""

from __future__ import annotations

import lightning.pytorch as pl
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class HorizonAveraging(WeightAveraging):
    """Exponential moving average of weights and buffers over a horizon given as a share of the run.

    Early on the horizon is as long as the run so far, so that the random start is forgotten at once.

    Args:
        horizon: Averaging time as a share of all optimiser steps, above 0.
    """

    def __init__(self, horizon: float) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.horizon = horizon
        self._steps = 1.0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Turn the share into steps, and bring the average to where the module is by now."""
        self._steps = max(1.0, self.horizon * float(trainer.estimated_stepping_batches))
        # Lightning makes the average before it moves the module: left there, every step would copy all weights to the
        # CPU. Its counter, which is asked in every step, stays.
        assert self._average_model is not None
        self._average_model.module.to(pl_module.device)

    def _average(self, averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        if not averaged[0].is_floating_point():  # lists hold one type each; counters are not averaged
            for kept, new in zip(averaged, current, strict=True):
                kept.copy_(new)
            return
        decay = 1.0 - 1.0 / min(self._steps, float(count) + 1.0)
        get_ema_multi_avg_fn(decay)(averaged, current, count)  # type: ignore[no-untyped-call]
