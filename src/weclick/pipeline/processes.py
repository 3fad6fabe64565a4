"""The processes that share a fit, whoever starts them: connecting them, and keeping them in step outside of trainings."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from time import sleep
from typing import Any, Final, TypeVar

import torch
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from torch import distributed

from weclick.errors import ConfigError, TrainingError, one_line
from weclick.machine import process_rank
from weclick.pipeline.interrupt import SignalNote
from weclick.pipeline.settings import FitSettings, trainer_refusals
from weclick.signals import Interrupted

PATIENCE: Final = 10.0
"""Seconds that another process than the first waits with its error."""

RESULTS: Final = 16
"""After so many results of its share a process hears from the others."""

Result = TypeVar("Result")
Value = TypeVar("Value")


@contextmanager
def joined(settings: FitSettings) -> Iterator[None]:
    """Connect all processes of a fit before it writes anything.

    torchrun, srun and Ray start the processes; without them Lightning starts those of this machine here, by the same command
    line, and they end with this process. An error that all have is printed once, by the first. Strategies that start processes
    for each training are left to do so.

    Raises:
        ConfigError: A launcher started another number of processes than the trainer's options state.
        TrainingError: Another process ended, or did not answer within the time of its process group.
    """
    trainer = settings.make_bare_trainer()
    launcher = trainer.strategy.launcher
    if trainer.world_size == 1 or not isinstance(launcher, _SubprocessScriptLauncher):
        if process_rank() > 0:
            raise ConfigError(
                f"this is process {process_rank()} of its launcher, but the trainer has {trainer.world_size}: leave "
                "trainer.devices and trainer.num_nodes at their defaults, or start one process"
            )
        yield
        return
    try:
        if not _connected():
            with trainer_refusals():
                launcher.launch(trainer.strategy.setup_environment)
        yield
    except BaseException as error:
        launcher.kill(signal.SIGTERM)
        if process_rank() > 0 and isinstance(error, Exception):
            # mostly the first process has the same error: it prints it, and ends this one, or its launcher does
            sleep(PATIENCE)
        if isinstance(error, RuntimeError) and _is_lost_connection(error):
            raise TrainingError(
                f"another process of this training ended or does not answer ({one_line(error)}); see its own message, and "
                "resume the run"
            ) from error
        raise


def _connected() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _is_lost_connection(error: RuntimeError) -> bool:
    """Return whether a collective failed; gloo raises a plain RuntimeError, with the place in its source."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error).lower()


def own_share() -> tuple[int, int]:
    """Return which share of some work this process does, and the number of shares."""
    return (distributed.get_rank(), distributed.get_world_size()) if _connected() else (0, 1)


def wait_for_all() -> None:
    """Wait until all processes are here."""
    if _connected():
        distributed.barrier()


@contextmanager
def first_process_first() -> Iterator[None]:
    """Run the block in the first process, then in the others."""
    if process_rank() > 0:
        wait_for_all()
    yield
    if process_rank() == 0:
        wait_for_all()


def from_first_process(value: Value) -> Value:
    """Return the first process's value in all processes."""
    values = [value]
    if _connected():
        distributed.broadcast_object_list(values, src=0)
    return values[0]


def in_step(work: Generator[Result, None, None], signals: SignalNote) -> Iterator[Result]:
    """Yield the results of this process's share of some work, and return when all processes have finished theirs.

    Every few results the processes tell one another whether they were signalled. So all stop together, and none waits for
    another longer than a few results take: one that does not answer is noticed by the time-out of the group.

    Raises:
        Interrupted: A process received a signal; results are complete up to here.
    """
    # for numbers on the CPU, whatever the training uses
    group: Any = distributed.new_group(backend="gloo") if _connected() else None

    def meet(*, busy: bool) -> tuple[int, int]:
        state = torch.tensor([signals.received or 0, busy], dtype=torch.int64)
        if group is not None:
            distributed.all_reduce(state, distributed.ReduceOp.MAX, group)
        return int(state[0]), int(state[1])

    with closing(work):
        for count, result in enumerate(work, start=1):
            yield result
            if signals.received is not None or (count % RESULTS == 0 and meet(busy=True)[0]):
                break
    signalled, busy = meet(busy=False)
    while busy:
        signalled, busy = meet(busy=False)
    if signalled:
        raise Interrupted(signalled)
