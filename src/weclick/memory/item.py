"""What is stored of a target: its soft labels as uint8.

Precision: probabilities are stored as ``round(255 * sqrt(p))``, which keeps them down to 4e-6; a linear scale ends at 1/510 and
leaves a temperature above 1 nothing to soften. A probability is off by at most 0.004 (2.5e-4 to 3.6e-4 on average), a pixel's
sum by less than 0.01. At temperature 2 the stored distribution differs from the exact one by 0.0003 to 0.003 nats, against
0.04 to 0.08 on a linear scale (random softmax of 11 and 19 classes, logits with deviation 3 and 6). The confidence is linear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels


class MemoryItem(NamedTuple):
    """One target's stored soft labels, uint8: ``teacher`` (C, h, w), ``memory`` (C, h, w), ``confidence`` (1, h, w)."""

    teacher: NDArray[np.uint8]
    memory: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


def quantise(labels: SoftLabels) -> list[MemoryItem]:
    """Return the items of a batch, one per target."""
    maps = (labels.teacher.clamp(0, 1).sqrt(), labels.memory.probabilities.clamp(0, 1).sqrt(), labels.memory.confidence)
    arrays = ((m.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy() for m in maps)
    return [MemoryItem(*item) for item in zip(*arrays, strict=True)]


def dequantise(teacher: Tensor, memory: Tensor, confidence: Tensor) -> SoftLabels:
    """Return soft labels from the arrays of items, as uint8 tensors (B, C, h, w), (B, C, h, w) and (B, 1, h, w)."""
    roots = (teacher.float() / 255, memory.float() / 255)
    return SoftLabels(roots[0].square(), Memory(roots[1].square(), confidence.float() / 255))
