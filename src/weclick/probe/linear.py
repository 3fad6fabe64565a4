"""A linear classifier on frozen features: multinomial logistic regression, by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import Size
from weclick.probe.features import Features

DECAY: Final = 0.3
"""Weight of the squared parameters, beside the sum of the clicks' cross-entropies."""
ADAPTED_DECAY: Final = 0.3
"""Weight of the squared difference from the shared probe where it is adapted to one frame."""
STEPS: Final = 200
ADAPTED_STEPS: Final = 30


@dataclass(frozen=True)
class LinearProbe:
    """Class scores that are linear in the features.

    Args:
        parameters: float32 (C, channels + 1); the last column is the bias.
    """

    parameters: NDArray[np.float32]

    @classmethod
    def untrained(cls, classes: int, channels: int) -> LinearProbe:
        """Return a probe without a preference for any class."""
        return cls(np.zeros((classes, channels + 1), np.float32))

    def with_class(self) -> LinearProbe:
        """Return this probe with one more class, of which nothing is known yet."""
        return LinearProbe(np.concatenate([self.parameters, np.zeros_like(self.parameters[:1])]))

    def fitted(self, features: Tensor, ids: Tensor, *, steps: int = STEPS) -> LinearProbe:
        """Return the probe of all clicks, in which all clicked classes have the same weight.

        Args:
            features: Of the clicks, float32 (N, channels).
            ids: Their classes, int64 (N,).
            steps: Iterations of L-BFGS at most; it starts from this probe.
        """
        origin = np.zeros_like(self.parameters)
        return LinearProbe(_minimised(self.parameters, origin, features, ids, DECAY, steps))

    def adapted(self, features: Tensor, ids: Tensor) -> LinearProbe:
        """Return this probe adapted to the clicks of one frame, weighted in the same way; parameters stay near this probe's."""
        if not len(ids):
            return self
        return LinearProbe(_minimised(self.parameters, self.parameters, features, ids, ADAPTED_DECAY, ADAPTED_STEPS))

    def probabilities(self, features: Features, size: Size) -> NDArray[np.float32]:
        """Return class probabilities (C, h, w) of a frame, at a size that covers it.

        Each feature map is classified at its own size, and its scores are resized: this equals classifying resized maps, as both
        are linear, and takes a fraction of the time.
        """
        weights = torch.from_numpy(self.parameters)
        scores, column = weights[:, -1, None, None].expand(-1, *size), 0
        for features_of in features.maps:
            end = column + features_of.shape[0]
            own = torch.einsum("kc,chw->khw", weights[:, column:end], features_of.float())
            scores = scores + F.interpolate(own[None], size=size, mode="bilinear")[0]
            column = end
        return np.asarray(scores.softmax(0))


def _minimised(
    start: NDArray[np.float32],
    origin: NDArray[np.float32],
    features: Tensor,
    ids: Tensor,
    decay: float,
    steps: int,
) -> NDArray[np.float32]:
    """Return the parameters that minimise a sum over clicks plus ``decay / 2`` times their squared distance to ``origin``.

    The sum is of cross-entropies, where all clicked classes have the same weight, and the weights sum to the number of clicks.
    """
    inputs = torch.cat([features, torch.ones(len(features), 1)], 1)
    targets = F.one_hot(ids, len(start)).float()
    counts = targets.sum(0)
    weights = len(ids) / (counts[ids] * (counts > 0).sum())
    centre = torch.from_numpy(origin)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = torch.from_numpy(flat.astype(np.float32)).view_as(centre)
        log = (inputs @ parameters.T).log_softmax(1)
        distance = parameters - centre
        value = -(weights * (log * targets).sum(1)).sum() + decay / 2 * distance.square().sum()
        gradient = (weights[:, None] * (log.exp() - targets)).T @ inputs + decay * distance
        return float(value), gradient.double().numpy().ravel()

    found = minimize(loss, start.astype(np.float64).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return np.asarray(found.x.astype(np.float32).reshape(start.shape))
