"""Stopping between two steps, with everything saved, on a signal of the user or a scheduler."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import lightning.pytorch as pl

from weclick.signals import NOTICE, Interrupted, handled, in_main_thread

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, NOTICE)


class SignalNote:
    """Records SIGINT, SIGTERM and SIGUSR1, so that work can stop at the next point where everything is saved.

    A second SIGINT stops at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def listening(self) -> AbstractContextManager[None]:
        """Handle the signals during the block."""
        return handled(SIGNALS, self.note)

    def note(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.received is not None and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signum


class SaveOnSignal(SignalNote, pl.Callback):
    """On a signal, finish the step, save ``checkpoint`` and raise :class:`Interrupted`.

    After the last step of an epoch its validation runs first, as a resumed run would skip it. A second SIGINT stops at
    once; then the checkpoint of the previous epoch remains.
    """

    def __init__(self, checkpoint: Path) -> None:
        super().__init__()
        self.checkpoint = checkpoint

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Replace Lightning's handler of SIGTERM, which exits without saving, and resume the loader.

        Lightning resumes a loader only if it is made after the loops were restored; the learning rate's schedule makes it
        earlier, to count its steps.
        """
        if in_main_thread():
            signal.signal(signal.SIGTERM, self.note)
        trainer.fit_loop._load_combined_loader_states()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Save and stop between two optimiser steps."""
        between_steps = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if between_steps and batch_idx + 1 < trainer.num_training_batches and self._must_stop(trainer):
            trainer.save_checkpoint(self.checkpoint, weights_only=False)
            raise Interrupted(self.received or signal.SIGTERM)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop between two epochs; the previous one is saved already."""
        if self._must_stop(trainer):
            raise Interrupted(self.received or signal.SIGTERM)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop after the last epoch, before the next stage."""
        self.on_train_epoch_start(trainer, pl_module)

    def _must_stop(self, trainer: pl.Trainer) -> bool:
        """Return whether any process received a signal."""
        received = self.received is not None
        return trainer.strategy.reduce_boolean_decision(received, all=False) if trainer.world_size > 1 else received
