"""Calibration: does the predicted probability equal the share of correct pixels?"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torchmetrics import Metric

from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError, DataError, ShapeError

_UNIT: Final = 2.0**-24
"""Resolution of stored probabilities: that of float32 below 1."""


class CalibrationError(Metric):
    """Expected calibration error (ECE): difference between predicted probability and accuracy, over bins.

    Pixels are grouped by the probability of the predicted class into bins of equal width, each including its upper edge.
    The error is the mean over pixels of ``|accuracy - mean probability|`` of their bin. Only sums per bin are stored;
    torchmetrics' ``MulticlassCalibrationError`` stores every pixel.

    Args:
        bins: Number of bins.

    Shape:
        - update: prediction (class ids), its probability in 0..1 and label, all of the same shape.
        - compute: float in 0..1, NaN before the first pixel.

    Raises:
        ConfigError: ``bins`` is below 1.
        ShapeError: Sizes differ; the usual cause is a prediction at the network's instead of the label's resolution.
        DataError: A probability is outside 0..1; the usual cause is that logits were passed.

    Example:
        >>> error = CalibrationError()
        >>> error.update(torch.tensor([0, 0]), torch.tensor([0.75, 0.75]), torch.tensor([0, 1]))
        >>> error.compute()
        0.25

    References:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation (3).
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    pixels: Tensor
    right: Tensor
    probability: Tensor

    def __init__(self, bins: int = 15) -> None:
        if bins < 1:
            raise ConfigError(f"a calibration error needs at least 1 bin, found {bins}")
        super().__init__()
        self.bins = bins
        zeros = torch.zeros(bins, dtype=torch.int64)
        # Probabilities are summed as integers, in units of 2^-24: the sum is exact in any order of frames and processes,
        # and needs no float64, which some accelerators lack.
        for name in ("pixels", "right", "probability"):
            self.add_state(name, zeros.clone(), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, probability: Tensor, label: Tensor) -> None:
        """Add one frame or batch; pixels whose label is ``IGNORE_INDEX`` are ignored."""
        shapes = [tuple(t.shape) for t in (prediction, probability, label)]
        if len(set(shapes)) > 1:
            raise ShapeError(
                "prediction {}, probability {} and label {} differ; resize the prediction first".format(*shapes)
            )
        counted = label != IGNORE_INDEX
        confidence, right = probability[counted].float(), (prediction == label)[counted]
        if confidence.numel() and not 0 <= float(confidence.min()) <= float(confidence.max()) <= 1:
            raise DataError(
                f"probabilities must be 0..1, found {float(confidence.min()):g}..{float(confidence.max()):g}"
            )
        bin_index = ((confidence * self.bins).ceil().long() - 1).clamp(min=0)
        self.pixels += torch.bincount(bin_index, minlength=self.bins)
        self.right += torch.bincount(bin_index[right], minlength=self.bins)
        self.probability.index_add_(0, bin_index, (confidence / _UNIT).round().long())

    def compute(self) -> float:
        """Return the error over all pixels since the last reset."""
        # in float64 on the CPU: float32 cannot hold the sums exactly
        right, probability = self.right.cpu().double(), self.probability.cpu().double() * _UNIT
        return float((right - probability).abs().sum() / int(self.pixels.sum()))
