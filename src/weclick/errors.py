"""The errors weclick raises on purpose.

Each message says what was found, where, and what to do. The command line prints it as one line and exits with status 1.
"""

from __future__ import annotations

import re
from typing import Final

_FROM_WORKER: Final = re.compile(r"Caught \w+ in .*\nOriginal Traceback.*\n[\w.]+: (.*)", re.DOTALL)


class WeclickError(Exception):
    """Base of all errors that a user can cause and fix."""

    def __init__(self, message: str = "") -> None:
        # torch raises an error of a loader's worker again with the worker's whole traceback as its message
        wrapped = _FROM_WORKER.fullmatch(message)
        super().__init__(wrapped[1].strip() if wrapped else message)
        if wrapped:
            self.add_note(message)


class DataError(WeclickError):
    """A data set, frame, label or video cannot be used as it is."""


class NoLabelsError(DataError):
    """There is nothing to evaluate a network with: no masks, and no held-out clicks."""


class OutsideError(DataError):
    """A link in a data set leads out of it."""


class ClickError(DataError):
    """A click or click store cannot be used as it is."""


class StoreError(ClickError):
    """A click store cannot be read or written: damaged, read-only, busy, or the disk is full."""


class ConflictError(ClickError):
    """Somebody else has changed a frame, or is working on it."""


class ConfigError(WeclickError):
    """A config value, or a combination of values, is invalid."""


class CheckpointError(WeclickError):
    """A checkpoint is missing, damaged, of the wrong stage or of the wrong class count."""


class ExportError(WeclickError):
    """An exported model does not predict what its network does."""


class DiskError(WeclickError):
    """A file cannot be written: its disk is full or read-only."""


class RunError(WeclickError):
    """A run folder is missing, unfinished or belongs to something else."""


class TrainingError(WeclickError):
    """A training has diverged, or lost one of its processes."""


class ShapeError(WeclickError, ValueError):
    """Tensors do not fit together; the message names both shapes."""


def one_line(error: Exception, most: int = 160) -> str:
    """Return the message of an error from another library as one line of at most ``most`` characters."""
    return " ".join(str(error).split())[:most] or type(error).__name__
