"""Fusing what several neighbours say about a target."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Memory(NamedTuple):
    """Soft label (B, C, h, w) of a target and confidence (B, 1, h, w) in 0..1; confidence 0 means nothing is known."""

    probabilities: Tensor
    confidence: Tensor


def fuse(warped: Tensor, reliable: Tensor) -> Memory:
    """Average the neighbours' warped probabilities over those that are reliable at each pixel.

    Args:
        warped: Teacher probabilities carried to the target, (B, N, C, h, w).
        reliable: Which of them may be trusted, bool (B, N, 1, h, w); False also for padding neighbours.

    Returns:
        Memory whose confidence is the share of the N neighbours that are reliable; its soft label is 0 where none is.
    """
    weight = reliable.to(warped.dtype)
    votes = weight.sum(1)
    probabilities = (weight * warped).sum(1) / votes.clamp(min=1)
    return Memory(probabilities, votes / max(warped.shape[1], 1))
