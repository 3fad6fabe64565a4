"""The method's loss terms: pure tensor functions, formulas as in docs and DESIGN."""

from weclick.losses.cross_entropy import partial_cross_entropy
from weclick.losses.distillation import distillation

__all__ = ["distillation", "partial_cross_entropy"]
