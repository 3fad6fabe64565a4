"""Results of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from weclick.conventions import Size
from weclick.metrics.confusion import Scores
from weclick.metrics.temporal import Consistency

Labels = Literal["masks", "clicks"]


@dataclass(frozen=True)
class Speed:
    """Speed of one network on one device, with the input size and precision it depends on.

    Args:
        fps: Frames per second.
        ms: Milliseconds per frame, as measured.
        device: Name of the processor or accelerator.
        size: Network input as (height, width).
        precision: Number format, such as "fp32" or "bf16".
    """

    fps: float
    ms: float
    device: str
    size: Size
    precision: str


@dataclass(frozen=True)
class ComparedPairs:
    """Which pairs of successive frames temporal consistency was measured on, and along which flow.

    Args:
        compared: Number of pairs that were compared.
        available: Number of pairs with a labelled frame.
        flow: Name of the flow estimator.
        flow_size: Size (height, width) that flow was estimated at.
    """

    compared: int
    available: int
    flow: str
    flow_size: Size


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation; None and an empty mapping mean "not measured".

    Args:
        scores: Agreement with the labels. Of clicks, pixels are clicks, and no IoU is measured.
        temporal: Agreement of successive predictions along the motion.
        pairs: Pairs of frames that ``temporal`` is from.
        video_consistency: VC_n by n.
        speed: Speed of the network.
        measured_with: What the labels are: masks, or held-out clicks.
    """

    scores: Scores
    temporal: Consistency | None = None
    pairs: ComparedPairs | None = None
    video_consistency: Mapping[int, float] = field(default_factory=dict)
    speed: Speed | None = None
    measured_with: Labels = "masks"
