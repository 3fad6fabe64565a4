"""Learning from the classes that a frame does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclick.losses.resize import resized
from weclick.losses.term import LossTerm, Step


def absence(logits: Tensor, present: Tensor, inside: Tensor | None = None) -> Tensor:
    """Mean over pixels of ``-log sum_{c present} softmax(logits)[c]``: every pixel is of a class the frame holds.

    The likelihood of "one of those that were clicked". Where absent classes are unlikely it equals
    ``-sum_{c absent} log(1 - p_c)``; unlike that, it stays exact in floating point when the network is sure of an
    absent class, and has a gradient there.

    Args:
        logits: (B, C, h, w).
        present: Classes that each frame holds, bool (B, C); a frame of which nothing is known, all False, is left out.
        inside: Pixels to count, bool or float (B, 1, h, w); False in a draw's border, which no frame shows. By default all.

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
    losses = scores.logsumexp(1) - scores.masked_fill(absent, -torch.inf).logsumexp(1)
    counted = torch.ones_like(losses) if inside is None else inside[known, 0].to(losses.dtype)
    return (losses * counted).sum() / counted.sum().clamp(min=1)


@dataclass(frozen=True)
class Absence(LossTerm):
    """Class absence: a class that was not clicked in a frame is not there.

    Args:
        weight: Weight of the class-absence loss.
    """

    name: ClassVar[str] = "absence"

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`absence` of a step, inside of the frames."""
        inside = step.batch["inside"]
        return absence(resized(step.logits, inside), step.batch["present"], inside)
