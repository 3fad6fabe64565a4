"""Calibration: is a network as often right as it is sure?"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torchmetrics import Metric

from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError, DataError, ShapeError

_UNIT: Final = 2.0**-24


class CalibrationError(Metric):
    """Expected calibration error: how far probabilities are from the share of pixels that are right, over bins.

    Pixels are sorted by the probability of the predicted class into bins of equal width, of which each holds its upper
    edge; the error is the mean over pixels of ``|share right - mean probability|`` of their bin. Only sums per bin are
    kept: torchmetrics' own ``MulticlassCalibrationError`` keeps every pixel.

    Args:
        bins: Number of bins.

    Shape:
        - update: prediction (class ids), its probability in 0..1 and label, all of one shape.
        - compute: float in 0..1, NaN before the first pixel.

    Raises:
        ConfigError: There is not at least one bin.
        ShapeError: Sizes differ; the usual cause is a prediction at the network's and not the label's resolution.
        DataError: A probability is outside 0..1; the usual cause are logits.

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
        # probabilities too are summed as whole numbers, of 2^-24: exact in any order, and some accelerators have no float64
        for name in ("pixels", "right", "probability"):
            self.add_state(name, zeros.clone(), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, probability: Tensor, label: Tensor) -> None:
        """Count one frame or one batch; pixels whose label is ``IGNORE_INDEX`` do not count."""
        shapes = [tuple(t.shape) for t in (prediction, probability, label)]
        if len(set(shapes)) > 1:
            raise ShapeError(
                "prediction {}, probability {} and label {} differ; resize the prediction first".format(*shapes)
            )
        counted = label != IGNORE_INDEX
        sure, right = probability[counted].float(), (prediction == label)[counted]
        if sure.numel() and not 0 <= float(sure.min()) <= float(sure.max()) <= 1:
            raise DataError(f"probabilities must be 0..1, found {float(sure.min()):g}..{float(sure.max()):g}")
        inside = ((sure * self.bins).ceil().long() - 1).clamp(min=0)
        self.pixels += torch.bincount(inside, minlength=self.bins)
        self.right += torch.bincount(inside[right], minlength=self.bins)
        self.probability.index_add_(0, inside, (sure / _UNIT).round().long())

    def compute(self) -> float:
        """Return the error over everything counted since the last reset."""
        # as doubles on the CPU: a sum has more digits than a float has
        right, probability = self.right.cpu().double(), self.probability.cpu().double() * _UNIT
        return float((right - probability).abs().sum() / int(self.pixels.sum()))
