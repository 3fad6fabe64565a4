"""Ending on a signal of the user or a scheduler, so that what was written is finished."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, Final, NoReturn

NOTICE: Final = signal.SIGUSR1
"""SLURM's notice, if a job asks for it, that its time ends. Without a handler it kills a process."""


class Interrupted(BaseException):
    """Work stopped on a signal after its state was saved. Not an ``Exception``, so that no handler catches it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def stopping() -> AbstractContextManager[None]:
    """Raise :class:`Interrupted` on SIGTERM and SIGUSR1 during the block, except in stages, which save first."""

    def stop(signum: int, frame: FrameType | None) -> NoReturn:
        raise Interrupted(signum)

    return handled((signal.SIGTERM, NOTICE), stop)


@contextmanager
def handled(signums: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Handle signals during the block, if this is the main thread: Python calls handlers in no other.

    Ray runs a training in another thread, and ends its workers without a signal to them.
    """
    before = {signum: signal.signal(signum, handler) for signum in signums} if in_main_thread() else {}
    try:
        yield
    finally:
        for signum, earlier in before.items():
            signal.signal(signum, earlier)


def in_main_thread() -> bool:
    """Return whether this is the main thread."""
    return threading.current_thread() is threading.main_thread()
