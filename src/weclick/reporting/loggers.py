"""The loggers of a training: always a local CSV file; Weights & Biases and TensorBoard as the options say."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger

from weclick.errors import ConfigError
from weclick.reporting.metrics_file import MetricsFile
from weclick.reporting.options import TrackingOptions
from weclick.reporting.tracker import SafeWandb, make_tracker


def make_loggers(
    folder: Path, tracking: TrackingOptions, *, names: Sequence[str], stage: str, config: dict[str, Any]
) -> list[Logger]:
    """Return the loggers of one stage.

    Args:
        folder: The stage's folder.
        tracking: Which loggers to use besides the local file.
        names: Of the run, and of the stage in it.
        stage: ``teacher`` or ``student``.
        config: Settings to show beside the metrics.
    """
    loggers: list[Logger] = [MetricsFile(folder)]
    tracker = make_tracker(folder, tracking, names=names, job=stage, config=config)
    if tracker is not None:
        loggers.append(tracker)
    if tracking.tensorboard:
        loggers.append(TensorBoardLogger(folder, name="", version="tensorboard", default_hp_metric=False))
    return loggers


def trackers_of(loggers: list[Logger]) -> list[SafeWandb]:
    """Return those of a trainer's loggers that take pictures and files."""
    return [logger for logger in loggers if isinstance(logger, SafeWandb)]


def refuse_missing_tensorboard(tracking: TrackingOptions) -> None:
    """Refuse to write for TensorBoard without its package.

    Raises:
        ConfigError: It is not installed.
    """
    if tracking.tensorboard and not (find_spec("tensorboard") or find_spec("tensorboardX")):
        raise ConfigError(
            "tracking.tensorboard needs the package tensorboard; pip install 'weclick[tensorboard]', or set it to false"
        )
