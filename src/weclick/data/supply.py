"""How a training batch gets what loss terms need beside image and labels: the protocol of a supply."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclick.data.index import Clip

Sample = dict[str, Any]
"""What a worker hands over, by name."""
Batch = dict[str, Any]
"""Collated samples; :func:`weclick.data.finish.finish` lists what a finished one holds."""


class Supply:
    """Base of all supplies: each reads its part in a loader worker and completes it on the device.

    Attributes:
        adds: Entry of a batch that it adds; no two supplies of a data module add the same.
        labels_unlabelled: Whether frames without clicks can be learned from what it adds.
        reads_neighbours: Whether it reads the neighbours of a clip.
        pairs: Whether :meth:`neighbour` gives frames to draw along with the targets.
    """

    adds: ClassVar[str] = ""
    labels_unlabelled: ClassVar[bool] = False
    reads_neighbours: ClassVar[bool] = False
    pairs: ClassVar[bool] = False

    def read(self, clip: Clip) -> Sample:
        """Return tensors to add to a sample as they are, undrawn; ``damaged`` has a line for each unreadable frame."""
        return {}

    def neighbour(self, clip: Clip) -> NDArray[np.uint8] | None:
        """Return an RGB image (H, W, 3) to draw like the target, None where the clip has none.

        Raises:
            DataError: It cannot be read.
        """
        return None

    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Complete a batch on the device, before its colours are augmented.

        Args:
            batch: With ``image`` in 0..1 and ``inside``; gets what this supply is for.
            grid: Sampling grid (B, h/4, w/4, 2) of the draws.
        """


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Return uint8 (3, H, W) from (H, W, 3)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def join_lines(*texts: str) -> str:
    """Return the texts that are not empty, a line each."""
    return "\n".join(filter(None, texts))
