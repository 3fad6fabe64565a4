"""From a clip to soft labels: the teacher's prediction on the target, and the memory of its neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.flow.estimators import FlowEstimator
from weclick.flow.reliability import reliable
from weclick.flow.warp import resize_flow, warp_to_target
from weclick.memory.fuse import Memory, fuse
from weclick.memory.options import PLAIN, Fusion

STRIDE = 4
"""Finest stride at which soft labels are kept; a teacher with coarser logits is kept at its own stride."""

Teacher = Callable[[Tensor], Tensor]


class SoftLabels(NamedTuple):
    """What a student learns from beside labels: a frozen teacher's predictions for a batch of targets.

    Shape:
        teacher: probabilities on the target itself, (B, C, h, w); memory: soft label and confidence, same grid.
    """

    teacher: Tensor
    memory: Memory


@torch.no_grad()
def online_memory(
    teacher: Teacher,
    flow: FlowEstimator,
    target: Tensor,
    neighbours: Tensor,
    offsets: Tensor,
    fusion: Fusion = PLAIN,
) -> SoftLabels:
    """Run the teacher on a clip and carry its neighbour predictions to the target.

    Args:
        teacher: Frozen network, RGB images (B, 3, H, W) in 0..1 to logits.
        flow: Flow estimator, run on full-size frames in both directions.
        target: Target frames (B, 3, H, W).
        neighbours: Neighbour frames (B, N, 3, H, W); padding frames are never read.
        offsets: (B, N), 0 marks padding.
        fusion: Weights of the neighbours' votes.
    """
    own = soft_labels(teacher, target)
    batch, count = offsets.shape
    warped = own.new_zeros(batch, count, *own.shape[1:])
    trusted = torch.zeros(batch, count, 1, *own.shape[-2:], dtype=torch.bool, device=own.device)
    for position in range(count):
        rows = offsets[:, position].nonzero().flatten()
        if len(rows):
            here, there = target[rows], neighbours[rows, position]
            carried = carry(soft_labels(teacher, there), flow(here, there), flow(there, here))
            warped[rows, position], trusted[rows, position] = carried
    return SoftLabels(own, fuse(own, warped, trusted, offsets, fusion))


def soft_labels(teacher: Teacher, images: Tensor) -> Tensor:
    """Return the teacher's probabilities at its own stride, or at ``STRIDE`` where that is coarser."""
    logits = teacher(images).float()
    size = tuple(
        min(have, math.ceil(full / STRIDE)) for have, full in zip(logits.shape[-2:], images.shape[-2:], strict=True)
    )
    if size != tuple(logits.shape[-2:]):
        logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False, antialias=True)
    return logits.softmax(1)


def carry(probabilities: Tensor, forward: Tensor, backward: Tensor) -> tuple[Tensor, Tensor]:
    """Carry a neighbour's probabilities to the target.

    Args:
        probabilities: The teacher's on the neighbour, (B, C, h, w).
        forward: Target-to-neighbour flow, (B, 2, H, W).
        backward: Neighbour-to-target flow, (B, 2, H, W).

    Returns:
        Warped probabilities (B, C, h, w), and where they are reliable, bool (B, 1, h, w): inside the neighbour, and the
        flow of most of the cell's pixels is.
    """
    size = (probabilities.shape[-2], probabilities.shape[-1])
    trusted = reliable(forward, backward)
    warped, inside = warp_to_target(probabilities, resize_flow(forward, size))
    return warped, inside & (F.adaptive_avg_pool2d(trusted.float(), size) > 0.5)
