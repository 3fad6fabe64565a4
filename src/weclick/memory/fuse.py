"""Fusing the predictions of several frames into a target's soft label.

A vote is one frame's probabilities for the target: the target's own, or a neighbour's carried along flow.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from weclick.memory.options import PLAIN, Fusion


class Memory(NamedTuple):
    """Soft label (B, C, h, w) of a target and confidence (B, 1, h, w) in 0..1; it is 0 where no vote counts."""

    probabilities: Tensor
    confidence: Tensor


def fuse(own: Tensor, warped: Tensor, reliable: Tensor, offsets: Tensor, fusion: Fusion = PLAIN) -> Memory:
    """Average, at each pixel, the probabilities of the reliable neighbours and of the target itself.

    Args:
        own: Teacher probabilities on the target, (B, C, h, w).
        warped: Those on the neighbours, carried to the target, (B, N, C, h, w).
        reliable: Where they are reliable, bool (B, N, 1, h, w); False also for padding neighbours.
        offsets: Frame numbers of the neighbours minus the target's, (B, N); 0 marks padding.
        fusion: Weights of the votes.

    Returns:
        Memory whose confidence is the votes' total weight as a share of the largest possible one: in the plain average the
        share of the N neighbours that are reliable; its soft label is 0 where no vote counts.
    """
    distance = offsets.abs().to(warped.dtype)
    nearest = distance.masked_fill(distance == 0, torch.inf).amin(1, keepdim=True) if offsets.shape[1] else distance
    weight = torch.exp(-fusion.decay * (distance / nearest - 1).clamp(min=0))[:, :, None, None, None] * reliable
    votes = torch.cat([own.unsqueeze(1), warped], 1)
    weights = torch.cat([torch.full_like(own[:, None, :1], fusion.own), weight.to(own.dtype)], 1)
    if fusion.certainty:
        weights = weights * votes.amax(2, keepdim=True) ** fusion.certainty
    total = weights.sum(1)
    # padding counts in the largest possible weight: a target with few neighbours is less certain
    possible = fusion.own + warped.shape[1]
    return Memory((weights * votes).sum(1) / total.clamp(min=1e-6), (total / max(possible, 1e-6)).clamp(max=1))
