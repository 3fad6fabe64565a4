"""Cross-entropy over the pixels that have a label."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import IGNORE_INDEX
from weclick.losses.resize import resized, sampled
from weclick.losses.shared import over_processes

_FEW = 16
"""With at most one labelled pixel in so many, as with clicks, resizing the logits at these alone is faster than everywhere."""


def partial_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over labelled pixels, ``-1/|L| * sum_{i in L} log softmax(logits)_i[y_i]``.

    With every pixel labelled this is plain cross-entropy; with none it is 0 and its gradient is 0.

    Shape:
        logits (B, C, h, w) at any stride, resized bilinearly to labels (B, H, W); ``IGNORE_INDEX`` marks unlabelled pixels.

    Example:
        >>> import torch
        >>> partial_cross_entropy(torch.zeros(1, 4, 2, 2), torch.full((1, 8, 8), 255)).item()
        0.0
    """
    total = F.cross_entropy(*_compared(logits, labels), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / over_processes((labels != IGNORE_INDEX).sum()).clamp(min=1)


def balanced_cross_entropy(logits: Tensor, labels: Tensor, balance: float = 1.0, hardest: float = 1.0) -> Tensor:
    """Partial cross-entropy in which the classes of an image weigh more alike than their numbers of labelled pixels.

    A pixel of class c in image b, where ``n_bc`` pixels have that label, has the weight ``n_bc ** -balance``; the result is the
    weighted mean. At 0 it is :func:`partial_cross_entropy`; at 1 all labelled classes of all images have the same weight: with
    one click per instance, poles get many clicks and the road few.

    Args:
        logits: As in :func:`partial_cross_entropy`, like the labels.
        labels: Class ids.
        balance: How far the weights of classes are equal, 0 to 1.
        hardest: Share of each image's labelled pixels that count: those with the highest loss. At 1 all do.

    References:
        Shrivastava et al.: Training Region-based Object Detectors with Online Hard Example Mining, CVPR 2016.
    """
    batch, classes = logits.shape[:2]
    image, row, column = (labels != IGNORE_INDEX).nonzero(as_tuple=True)
    losses = F.cross_entropy(*_compared(logits, labels), ignore_index=IGNORE_INDEX, reduction="none")
    if losses.ndim == labels.ndim:  # everywhere
        losses = losses[image, row, column]
    pair = image * classes + labels[image, row, column]
    weight = torch.bincount(pair, minlength=batch * classes).to(losses.dtype)[pair] ** -balance
    if hardest < 1:
        kept = torch.cat([_hardest(losses, image == number, hardest) for number in range(batch)])
        losses, weight = losses[kept], weight[kept]
    return (losses * weight).sum() / over_processes(weight.sum()).clamp(min=torch.finfo(losses.dtype).tiny)


def _hardest(losses: Tensor, own: Tensor, share: float) -> Tensor:
    """Return the indices of an image's highest losses; those of a whole batch would depend on how it is divided."""
    places = own.nonzero()[:, 0]
    return places[losses[places].topk(math.ceil(share * len(places)), sorted=False).indices]


def _compared(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits at the labels' size, and these labels: of the labelled pixels alone, (N, C) and (N,), where they are few."""
    labelled = labels != IGNORE_INDEX
    if labelled.sum() * _FEW > labels.numel():
        return resized(logits, labels), labels
    return sampled(logits, labelled.nonzero(), labels), labels[labelled]
