"""Stopping between two steps, with everything saved, on a signal of the user or a scheduler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import lightning.pytorch as pl

NOTICE: Final = signal.SIGUSR1
"""SLURM's notice, if a job asks for it, that its time ends. Without a handler it kills a process."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, NOTICE)


class Interrupted(BaseException):
    """Training stopped on a signal after its state was saved. Not an ``Exception``, so that no handler catches it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class SignalNote:
    """Records SIGINT, SIGTERM and SIGUSR1, so that work can stop at the next point where everything is saved.

    A second SIGINT stops at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def listening(self) -> AbstractContextManager[None]:
        """Handle the signals during the block."""
        return _handled(SIGNALS, self.note)

    def note(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.received is not None and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signum


def stopping() -> AbstractContextManager[None]:
    """Raise :class:`Interrupted` on SIGTERM and SIGUSR1 during the block, except in stages, which save first."""

    def stop(signum: int, frame: FrameType | None) -> NoReturn:
        raise Interrupted(signum)

    return _handled((signal.SIGTERM, NOTICE), stop)


@contextmanager
def _handled(signums: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Handle signals during the block, if this is the main thread: Python calls handlers in no other.

    Ray runs a training in another thread, and ends its workers without a signal to them.
    """
    before = {signum: signal.signal(signum, handler) for signum in signums} if _in_main_thread() else {}
    try:
        yield
    finally:
        for signum, earlier in before.items():
            signal.signal(signum, earlier)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


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
        if _in_main_thread():
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
