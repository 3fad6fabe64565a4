"""Metrics in pure tensor code; torchmetrics reduces their states over processes."""

from weclick.metrics.calibration import CalibrationError
from weclick.metrics.confusion import Scores, SegmentationScore, scores_from_confusion
from weclick.metrics.evaluation import ComparedPairs, Evaluation, Labels, Speed
from weclick.metrics.temporal import Consistency, TemporalConsistency
from weclick.metrics.video import VideoConsistency

__all__ = [
    "CalibrationError",
    "ComparedPairs",
    "Consistency",
    "Evaluation",
    "Labels",
    "Scores",
    "SegmentationScore",
    "Speed",
    "TemporalConsistency",
    "VideoConsistency",
    "scores_from_confusion",
]
