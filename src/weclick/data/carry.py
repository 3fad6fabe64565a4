"""Clicks of a target, carried to an unlabelled neighbour along reliable flow."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from weclick.flow.estimators import DISFlow, FlowEstimator
from weclick.flow.reliability import reliable
from weclick.inference.rules import image_batch


@dataclass(frozen=True)
class ClickCarrier:
    """Moves clicks from a target to a neighbour. It runs in loader workers, so its flow has to be fast on a CPU."""

    flow: FlowEstimator = field(default_factory=DISFlow)

    def __call__(
        self, clicks: NDArray[np.float32], target: NDArray[np.uint8], neighbour: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Return the clicks at their positions in the neighbour; clicks without reliable flow are left out.

        Args:
            clicks: On the target, (K, 3): x, y in its pixels, class.
            target: RGB (H, W, 3).
            neighbour: RGB of the same size.
        """
        here, there = image_batch(target), image_batch(neighbour)
        forward = self.flow(here, there)
        mask = reliable(forward, self.flow(there, here))[0, 0].numpy()
        # a click may lie up to half a pixel beyond the centres of the outermost pixels
        column, row = np.rint(clicks[:, :2]).astype(int).clip(0, (mask.shape[1] - 1, mask.shape[0] - 1)).T
        moved = clicks.copy()
        moved[:, :2] += forward[0].numpy()[:, row, column].T
        kept: NDArray[np.float32] = moved[mask[row, column]]
        return kept
