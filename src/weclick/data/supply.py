"""The interface of a supply, which adds to a training batch what loss terms need besides image and labels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclick.data.index import Clip

Sample = dict[str, Any]
"""What a loader worker returns, by name."""
Batch = dict[str, Any]
"""Collated samples; :func:`weclick.data.finish.finish` describes a complete batch."""


class Supply:
    """Base of all supplies. A supply reads data in the loader workers and completes it on the device.

    Attributes:
        adds: Entry of a batch that it adds; no two supplies of a data module add the same.
        labels_unlabelled: Whether loss terms can learn from it on frames without clicks.
        reads_neighbours: Whether it reads the neighbours of a clip.
        pairs: Whether :meth:`neighbour` returns frames that are drawn like their targets.
    """

    adds: ClassVar[str] = ""
    labels_unlabelled: ClassVar[bool] = False
    reads_neighbours: ClassVar[bool] = False
    pairs: ClassVar[bool] = False

    def read(self, clip: Clip) -> Sample:
        """Return tensors to add to a sample, undrawn; ``damaged`` has a line for each unreadable frame."""
        return {}

    def neighbour(self, clip: Clip, rows: int) -> NDArray[np.uint8] | None:
        """Return an RGB image (H, W, 3) to draw like the target, or None; only its first rows are needed.

        Raises:
            DataError: It cannot be read.
        """
        return None

    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Complete a batch in place, on the device, before its colours are augmented.

        Args:
            batch: With ``image`` in 0..1, ``inside``, and what :meth:`read` returned; gets the entry ``adds``.
            grid: Sampling grid (B, h/4, w/4, 2) of the draws.
        """


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Return uint8 (3, H, W) from (H, W, 3)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def join_lines(*texts: str) -> str:
    """Return the non-empty texts, one per line."""
    return "\n".join(filter(None, texts))
