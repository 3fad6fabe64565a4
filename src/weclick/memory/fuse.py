"""Fusing what several neighbours say about a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor

from weclick.options import NonNegativeFloat, Options


class Memory(NamedTuple):
    """Soft label (B, C, h, w) of a target and confidence (B, 1, h, w) in 0..1; confidence 0 means nothing is known."""

    probabilities: Tensor
    confidence: Tensor


@dataclass(frozen=True)
class Fusion(Options):
    """How much each vote counts; the defaults are the paper's plain average of neighbours.

    Args:
        own: Weight of the teacher's own prediction on the target, beside 1 for each neighbour; 0 leaves it out.
        certainty: Votes count with the power of their largest probability; 0 lets all count alike.
        decay: A neighbour's vote counts ``exp(-decay * (d - 1))``, d its distance in units of the nearest one's.
    """

    own: NonNegativeFloat = 0.0
    certainty: NonNegativeFloat = 0.0
    decay: NonNegativeFloat = 0.0


PLAIN: Final = Fusion()


def fuse(own: Tensor, warped: Tensor, reliable: Tensor, offsets: Tensor, fusion: Fusion = PLAIN) -> Memory:
    """Average probabilities over the votes that can be trusted at each pixel: neighbours, and the target's own.

    Args:
        own: Teacher probabilities on the target, (B, C, h, w).
        warped: Those on the neighbours, carried to the target, (B, N, C, h, w).
        reliable: Which of them may be trusted, bool (B, N, 1, h, w); False also for padding neighbours.
        offsets: Frame numbers of the neighbours minus the target's, (B, N); 0 marks padding.
        fusion: How votes are weighed.

    Returns:
        Memory whose confidence is the weight of all votes as a share of what it could be, in the plain average the share
        of the N neighbours that are reliable; its soft label is 0 where nobody votes.
    """
    distance = offsets.abs().to(warped.dtype)
    nearest = distance.masked_fill(distance == 0, torch.inf).amin(1, keepdim=True) if offsets.shape[1] else distance
    weight = torch.exp(-fusion.decay * (distance / nearest - 1).clamp(min=0))[:, :, None, None, None] * reliable
    votes = torch.cat([own.unsqueeze(1), warped], 1)
    weights = torch.cat([torch.full_like(own[:, None, :1], fusion.own), weight.to(own.dtype)], 1)
    if fusion.certainty:
        weights = weights * votes.amax(2, keepdim=True) ** fusion.certainty
    total = weights.sum(1)
    # padding keeps its place in what the weight could be: a target with few neighbours is less sure
    possible = fusion.own + warped.shape[1]
    return Memory((weights * votes).sum(1) / total.clamp(min=1e-6), (total / max(possible, 1e-6)).clamp(max=1))
