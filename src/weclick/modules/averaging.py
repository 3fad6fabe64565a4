"""Weight averaging: the exponential moving average of the trained weights is evaluated and saved."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class HorizonAveraging(WeightAveraging):
    """Exponential moving average of weights and buffers over a horizon, a share of the run.

    At first the horizon is the number of steps so far, so that the random initial weights have no influence.

    Args:
        horizon: Share of all optimiser steps, above 0.
    """

    def __init__(self, horizon: float) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.horizon = horizon
        self._steps = 1.0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Convert the share to steps, and move the average to the module's device."""
        self._steps = max(1.0, self.horizon * float(trainer.estimated_stepping_batches))
        # Lightning makes the average before it moves the module; on the CPU, every step would copy all weights there. The
        # average's counter stays on the CPU: reading it in every step would wait for the device.
        assert self._average_model is not None
        self._average_model.module.to(pl_module.device)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Return the averaged network's logits of RGB images (B, 3, H, W) in 0..1, in evaluation mode."""
        assert self._average_model is not None
        averaged: Any = self._average_model.module
        logits: Tensor = averaged.network.eval()(images)
        return logits

    def _average(self, averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        if not averaged[0].is_floating_point():  # each list holds tensors of one type; counters are copied
            for target, source in zip(averaged, current, strict=True):
                target.copy_(source)
            return
        decay = 1.0 - 1.0 / min(self._steps, float(count) + 1.0)
        get_ema_multi_avg_fn(decay)(averaged, current, count)  # type: ignore[no-untyped-call]
