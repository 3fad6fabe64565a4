"""The interface of a supply, which adds to a training batch what loss terms need besides image and labels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclick.conventions import Size
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

    def read(self, clip: Clip, size: Size) -> Sample:
        """Return tensors to add to a sample, undrawn; ``damaged`` has a line for each unreadable frame.

        Args:
            clip: The target and its neighbours.
            size: Working size (H, W) of the target. The tensors of a batch's samples may differ in size; :meth:`complete`
                then gets a list of them (:mod:`weclick.ragged`).
        """
        return {}

    def neighbour(self, clip: Clip, size: Size, rows: int) -> NDArray[np.uint8] | None:
        """Return an RGB image to draw like the target, or None where there is none of its size.

        Args:
            clip: The target and its neighbours.
            size: Working size (H, W) of the target.
            rows: Number of rows that are needed, from the top.

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
