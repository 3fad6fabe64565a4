"""What the evaluation of one row found, as its ``metrics.json`` tells it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weclick.metrics.evaluation import Speed
from weclick.pipeline.settings import FitSettings


@dataclass(frozen=True)
class Outcome:
    """Evaluation of one row; fractions in 0..1, None and an empty mapping mean "not measured".

    Args:
        settings: What was trained.
        report: Its report.
        split: Split it was evaluated on.
        frames: Number of labelled frames in that split.
        clicks: Number of clicks it was trained from; None for masks.
        miou: Mean of ``iou`` over the classes that have one.
        iou: By class; NaN where the class is neither in the labels nor predicted.
        temporal: Temporal consistency over reliable pixels.
        video_consistency: VC_n by n.
        speed: Of the network.
    """

    settings: FitSettings
    report: Path
    split: str
    frames: int
    clicks: int | None
    miou: float
    iou: Mapping[str, float]
    temporal: float | None = None
    video_consistency: Mapping[int, float] = field(default_factory=dict)
    speed: Speed | None = None

    @property
    def arm(self) -> str:
        """Arm of the method."""
        return self.settings.arm

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.settings.seed

    @classmethod
    def read(cls, settings: FitSettings, folder: Path) -> Outcome:
        """Read the results in a folder.

        Raises:
            OSError, ValueError, KeyError, TypeError: They are not there or damaged.
        """
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        evaluated, temporal, speed = found["evaluated"], found["temporal_consistency"], found["speed"]
        return cls(
            settings=settings,
            report=folder / "report.html",
            split=evaluated["split"],
            frames=evaluated["frames"],
            clicks=evaluated["clicks"],
            miou=_number(found["miou"]),
            iou={name: _number(value) for name, value in found["iou"].items()},
            temporal=temporal and temporal["masked"],
            video_consistency={int(n): _number(value) for n, value in found["video_consistency"].items()},
            speed=speed and _speed(speed),
        )


def _number(value: float | None) -> float:
    """Return a number of a JSON file, in which NaN is null."""
    return math.nan if value is None else float(value)


def _speed(found: Mapping[str, Any]) -> Speed:
    height, width = found["size"]
    return Speed(**{**found, "size": (height, width)})


def earlier_outcome(settings: FitSettings, checkpoint: Path, split: str, folder: Path) -> Outcome | None:
    """Return what an earlier evaluation of a checkpoint left in a folder.

    None where the checkpoint is newer, and where the results are incomplete, damaged, or another split's or checkpoint's:
    ``weclick test`` may have written there too.
    """
    try:
        outcome = Outcome.read(settings, folder)
        evaluated = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["evaluated"]
        # the report is written last
        fresh = all(
            path.stat().st_mtime_ns >= checkpoint.stat().st_mtime_ns
            for path in (folder / "metrics.json", outcome.report)
        )
        same = (outcome.split, Path(evaluated["checkpoint"]).name) == (split, checkpoint.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return outcome if fresh and same else None
