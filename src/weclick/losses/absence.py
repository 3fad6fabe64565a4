"""Learning from the classes that a frame does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclick.losses.term import LossTerm, Step


def absence(logits: Tensor, present: Tensor) -> Tensor:
    """Mean over pixels of ``-log sum_{c present} softmax(logits)[c]``: every pixel is of a class the frame holds.

    The likelihood of "one of those that were clicked". Where absent classes are unlikely it equals
    ``-sum_{c absent} log(1 - p_c)``; unlike that, it stays exact in floating point when the network is sure of an
    absent class, and has a gradient there.

    Args:
        logits: (B, C, h, w).
        present: Classes that each frame holds, bool (B, C); a frame of which nothing is known, all False, is left out.

    Returns:
        A scalar; 0 (with zero gradient) where nothing is known.

    Example:
        >>> import torch
        >>> round(absence(torch.zeros(1, 4, 2, 2), torch.tensor([[True, False, False, False]])).item(), 3)
        1.386
    """
    known = present.any(1)
    scores = logits[known].float()
    if not len(scores):
        return logits.sum() * 0.0
    absent = ~present[known][:, :, None, None]
    return (scores.logsumexp(1) - scores.masked_fill(absent, -torch.inf).logsumexp(1)).mean()


@dataclass(frozen=True)
class Absence(LossTerm):
    """Class absence: a class that was not clicked in a frame is not there.

    Args:
        weight: Weight of the class-absence loss.
    """

    name: ClassVar[str] = "absence"

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`absence` of a step."""
        return absence(step.logits, step.batch["present"])
