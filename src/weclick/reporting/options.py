"""Options of tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from weclick.options import Options

WandbMode = Literal["auto", "online", "offline", "disabled"]


@dataclass(frozen=True)
class TrackingOptions(Options):
    """Where runs are tracked, besides the local ``metrics.csv``.

    Args:
        wandb: ``auto`` is online when you are logged in to Weights & Biases, else offline; or ``online``, ``offline``,
            ``disabled``. The environment variable WANDB_MODE has priority.
        project: Weights & Biases project.
        tensorboard: Also write each stage's metrics for TensorBoard, into ``tensorboard/`` in its folder.
    """

    wandb: WandbMode = "auto"
    project: str = "weclick"
    tensorboard: bool = False
