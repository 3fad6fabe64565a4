"""The errors weclick raises on purpose.

Each message says what was found, where, and what to do. The command line prints it as one line and exits with status 1.
"""

from __future__ import annotations


class WeclickError(Exception):
    """Base of all errors a user can cause and mend."""


class DataError(WeclickError):
    """A data set, frame, label or video cannot be used as it is."""


class ClickError(DataError):
    """A click or click store cannot be used as it is."""


class ConfigError(WeclickError):
    """A config value or a combination of values makes no sense."""


class CheckpointError(WeclickError):
    """A checkpoint is missing, damaged, of the wrong stage or of the wrong class count."""


class RunError(WeclickError):
    """A run folder is missing, unfinished or belongs to something else."""


class ShapeError(WeclickError, ValueError):
    """Tensors do not fit together; the message names both shapes."""
