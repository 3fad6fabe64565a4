"""Learning from the classes that are absent from a frame."""

from __future__ import annotations

import torch
from torch import Tensor

from weclick.losses.shared import over_processes


def absence(logits: Tensor, present: Tensor, inside: Tensor | None = None) -> Tensor:
    """Mean over pixels of ``-log sum_{c present} softmax(logits)[c]``: every pixel is of a class present in its frame.

    Where absent classes are unlikely, this is about ``-sum_{c absent} log(1 - p_c)``. That form overflows when the network is
    certain of an absent class; this one stays finite and has a gradient there.

    Args:
        logits: (B, C, h, w).
        present: Classes present in each frame, bool (B, C). A frame that is all False (classes unknown) is left out.
        inside: Pixels to count, bool or float (B, 1, h, w); False in a draw's border, which shows no frame. By default all.

    Returns:
        A scalar; 0 (with zero gradient) if no frame or pixel counts.

    Example:
        >>> import torch
        >>> round(absence(torch.zeros(1, 4, 2, 2), torch.tensor([[True, False, False, False]])).item(), 3)
        1.386
    """
    counted = present.any(1)
    scores = logits[counted].float()
    absent = ~present[counted][:, :, None, None]
    losses = scores.logsumexp(1) - scores.masked_fill(absent, -torch.inf).logsumexp(1)
    weight = torch.ones_like(losses) if inside is None else inside[counted, 0].to(losses.dtype)
    return (losses * weight).sum() / over_processes(weight.sum()).clamp(min=1)
