"""Cross-entropy over the pixels that have a label."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import IGNORE_INDEX


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
    if logits.shape[-2:] != labels.shape[-2:]:
        logits = F.interpolate(logits, size=labels.shape[-2:], mode="bilinear", align_corners=False)
    total = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (labels != IGNORE_INDEX).sum().clamp(min=1)
