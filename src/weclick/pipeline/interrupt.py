"""Stopping between two steps, with everything saved, when the user or a scheduler asks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import lightning.pytorch as pl

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Training stopped on a signal after its state was saved. Not an ``Exception``: nothing may swallow it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class SignalNote:
    """Notes SIGINT and SIGTERM instead of acting on them, until work is at a point where it can stop.

    A second SIGINT stops at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over both signals for the duration of the block."""
        before = {signum: signal.signal(signum, self.note) for signum in SIGNALS}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def note(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.received is not None and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signum

    def raise_if_any(self) -> None:
        """Raise :class:`Interrupted` if a signal came."""
        if self.received is not None:
            raise Interrupted(self.received)


class SaveOnSignal(SignalNote, pl.Callback):
    """On SIGINT or SIGTERM, finish the step, save ``checkpoint`` and raise :class:`Interrupted`.

    An epoch whose last step is done is ended first, with its validation: a resumed run could not make up for it. A
    second SIGINT stops at once; then the checkpoint of the last epoch's end is what remains.
    """

    def __init__(self, checkpoint: Path) -> None:
        super().__init__()
        self.checkpoint = checkpoint

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take SIGTERM back from Lightning, which would leave without saving, and resume the loader.

        Lightning resumes a loader only if it was not made before the loops were restored; counting the steps of the
        learning rate's schedule made it before.
        """
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
        if between_steps and batch_idx + 1 < trainer.num_training_batches and self._asked(trainer):
            trainer.save_checkpoint(self.checkpoint, weights_only=False)
            raise Interrupted(self.received or signal.SIGTERM)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop between two epochs; the end of the one before is saved already."""
        if self._asked(trainer):
            raise Interrupted(self.received or signal.SIGTERM)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop after the last epoch, before the next stage."""
        self.on_train_epoch_start(trainer, pl_module)

    def _asked(self, trainer: pl.Trainer) -> bool:
        """Tell whether a signal came to any process."""
        received = self.received is not None
        return trainer.strategy.reduce_boolean_decision(received, all=False) if trainer.world_size > 1 else received
