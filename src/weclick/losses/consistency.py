"""Consistency: what the averaged network is sure of on a plain image, the network must find on an augmented one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import IGNORE_INDEX
from weclick.losses.resize import resized
from weclick.losses.shared import over_processes
from weclick.losses.term import LossTerm, Need, Step, ramped
from weclick.options import Share

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


@dataclass(frozen=True)
class Consistency(LossTerm):
    """Self-training: the averaged network labels the image before colour augmentation where it is sure.

    Args:
        weight: Weight of the consistency loss; needs ``optimiser.ema`` above 0.
        confidence: Least probability of a class to learn it.
        ramp: Share of all steps over which the weight rises from 0, as early predictions are mostly wrong.
        mix: Share of the images that get a box of another image pasted in, with its labels (CutMix). Above 0 the network runs
            on the mixed images as a second batch, which takes as long as the first.

    References:
        Sohn et al.: FixMatch, NeurIPS 2020; Yang et al.: Revisiting weak-to-strong consistency, CVPR 2023.
    """

    name: ClassVar[str] = "consistency"
    needs: ClassVar[frozenset[Need]] = frozenset({"average"})

    confidence: Share = 0.95
    ramp: Share = 0.25
    mix: Share = 0.5

    def weight_at(self, progress: float) -> float:
        """Return the weight, which rises linearly until ``ramp``."""
        return ramped(self.weight, progress, self.ramp)

    def __call__(self, step: Step) -> Tensor:
        """Return :func:`consistency` with the averaged network's :func:`sure_labels`."""
        assert step.averaged is not None  # the module refuses this term without averaging
        batch, inside = step.batch, step.batch["inside"]
        labels = sure_labels(resized(step.averaged(batch["plain"]), inside), batch["present"], self.confidence)
        labels = labels.masked_fill(~inside[:, 0], IGNORE_INDEX)
        if not self.mix:
            return consistency(step.logits, labels, inside)
        images = batch["image"]
        box = random_boxes(len(images), (inside.shape[-2], inside.shape[-1]), self.mix).to(images.device)
        mixed = torch.where(F.interpolate(box.float(), images.shape[-2:]) > 0, images.roll(1, 0), images)
        labels = torch.where(box[:, 0], labels.roll(1, 0), labels)
        return consistency(step.forward(mixed), labels, inside)
