"""The scores of one trained row of a comparison, read from its ``metrics.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weclick.metrics.evaluation import Speed


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was trained, and its scores; fractions in 0..1, None and an empty mapping mean "not measured".

    Args:
        arm: Arm of the method.
        seed: Seed of the training.
        epochs: Number of epochs it was trained for.
        frame_share: Share of the clicked frames it was trained from.
        clicks_per_frame: Largest number of clicks per frame it was trained from; None for all of them.
        report: Path of its report.
        split: Split it was evaluated on.
        frames: Number of labelled frames in that split.
        clicks: Number of clicks it was trained from; None for masks.
        miou: Mean of ``iou`` over the classes that have one.
        iou: By class; NaN where the class is neither in the labels nor predicted.
        temporal: Temporal consistency over reliable pixels.
        video_consistency: VC_n by n.
        speed: Of the network.
    """

    arm: str
    seed: int
    epochs: int
    frame_share: float = 1.0
    clicks_per_frame: int | None = None
    report: Path
    split: str
    frames: int
    clicks: int | None
    miou: float
    iou: Mapping[str, float]
    temporal: float | None = None
    video_consistency: Mapping[int, float] = field(default_factory=dict)
    speed: Speed | None = None


def read_scores(folder: Path) -> dict[str, Any]:
    """Return the fields of :class:`Outcome` that an evaluation measured, from the folder it wrote to.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: Its files are missing, incomplete or damaged.
    """
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    evaluated, temporal, speed = metrics["evaluated"], metrics["temporal_consistency"], metrics["speed"]
    return {
        "report": folder / "report.html",
        "split": evaluated["split"],
        "frames": evaluated["frames"],
        "clicks": evaluated["clicks"],
        "miou": _number(metrics["miou"]),
        "iou": {name: _number(value) for name, value in metrics["iou"].items()},
        "temporal": temporal and temporal["masked"],
        "video_consistency": {int(n): _number(value) for n, value in metrics["video_consistency"].items()},
        "speed": speed and Speed(**{**speed, "size": tuple(speed["size"])}),  # JSON has no tuples
    }


def _number(value: float | None) -> float:
    """Return a number of a JSON file, in which NaN is null."""
    return math.nan if value is None else float(value)
