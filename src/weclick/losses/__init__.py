"""The method's loss terms: pure tensor functions, formulas as in docs and DESIGN."""

from weclick.losses.absence import absence
from weclick.losses.cross_entropy import balanced_cross_entropy, partial_cross_entropy
from weclick.losses.distillation import distillation
from weclick.losses.gated_crf import gated_crf
from weclick.losses.resize import resized
from weclick.losses.temporal import temporal_loss, visibility

__all__ = [
    "absence",
    "balanced_cross_entropy",
    "distillation",
    "gated_crf",
    "partial_cross_entropy",
    "resized",
    "temporal_loss",
    "visibility",
]
