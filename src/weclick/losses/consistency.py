"""Consistency: what the averaged network is sure of on a plain image, the network must find on an augmented one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import IGNORE_INDEX
from weclick.losses.resize import resized
from weclick.losses.shared import over_processes

AREA = (0.02, 0.4)
"""Smallest and largest share of an image that a pasted box covers."""
ASPECT = (0.3, 1 / 0.3)
"""Smallest and largest ratio of its sides."""


def sure_labels(logits: Tensor, present: Tensor, confidence: float) -> Tensor:
    """Return the most probable class of each pixel, int64 (B, h, w); ``IGNORE_INDEX`` where its probability is below.

    Args:
        logits: (B, C, h, w).
        present: Classes present in each frame, bool (B, C). All others are left out; a frame that is all False (classes unknown)
            may show any.
        confidence: Least probability.
    """
    absent = present.any(1, keepdim=True) & ~present
    probability, label = logits.float().masked_fill(absent[:, :, None, None], -torch.inf).softmax(1).max(1)
    return label.masked_fill(probability < confidence, IGNORE_INDEX)


def consistency(logits: Tensor, labels: Tensor, inside: Tensor) -> Tensor:
    """Cross-entropy summed over the pixels that have a label, over the number of all pixels inside: few sure pixels weigh little.

    Shape:
        logits (B, C, h, w) at any stride; labels int64 (B, H, W); inside (B, 1, H, W), 0 in a draw's border.
    """
    total = F.cross_entropy(resized(logits, labels), labels, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / over_processes(inside.sum()).clamp(min=1)


def random_boxes(count: int, size: tuple[int, int], share: float) -> Tensor:
    """Return one random box per image, True inside, bool (B, 1, H, W); images without a box are all False.

    Args:
        count: B.
        size: (H, W).
        share: Probability of a box.

    References:
        Yun et al.: CutMix, ICCV 2019; sides as in UniMatch (Yang et al., CVPR 2023).
    """
    height, width = size
    area = torch.empty(count, 1).uniform_(*AREA) * height * width
    aspect = torch.empty(count, 1).uniform_(*ASPECT)
    tall, wide = (area * aspect).sqrt().clamp(max=height), (area / aspect).sqrt().clamp(max=width)
    top, left = torch.rand(count, 1) * (height - tall), torch.rand(count, 1) * (width - wide)
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    down = (rows >= top) & (rows < top + tall) & (torch.rand(count, 1) < share)
    along = (columns >= left) & (columns < left + wide)
    return (down[:, :, None] & along[:, None, :]).unsqueeze(1)


def mixed(images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Paste a random box of the previous image of the batch, with its labels, into a ``share`` of the images.

    Shape:
        images (B, 3, H, W); labels int64 (B, h, w).
    """
    box = random_boxes(len(images), (labels.shape[-2], labels.shape[-1]), share).to(images.device)
    pasted = F.interpolate(box.float(), images.shape[-2:]) > 0
    return torch.where(pasted, images.roll(1, 0), images), torch.where(box[:, 0], labels.roll(1, 0), labels)
