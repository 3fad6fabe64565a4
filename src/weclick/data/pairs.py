"""Pairs of frames for losses that compare the student with itself: a drawn target and its nearest neighbour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from weclick.data.index import Clip
from weclick.data.recall import Batch
from weclick.data.samples import FrameReader
from weclick.flow.estimators import FlowEstimator
from weclick.flow.warp import resize_flow, warp_to_target
from weclick.losses.temporal import visibility


class Pair(NamedTuple):
    """What belongs to a batch of drawn targets: their neighbours, under the same draw, and how to get there.

    Shape:
        image: neighbours (B, 3, h, w) in 0..1; flow: on the drawn target's grid at stride 4, in pixels of that,
        (B, 2, h/4, w/4); visible: (B, 1, h/4, w/4), 0 outside of neighbour or draw; found: bool (B,), False where a
        target has no neighbour and its own image stands in.
    """

    image: Tensor
    flow: Tensor
    visible: Tensor
    found: Tensor


@dataclass(frozen=True)
class NearestNeighbour:
    """Reads a clip's nearest neighbour, in a worker; a neighbour's mask is never opened."""

    reader: FrameReader

    def __call__(self, clip: Clip) -> NDArray[np.uint8] | None:
        """Return it as RGB uint8 (H, W, 3) at the working size, or None where there is none.

        Raises:
            DataError: It cannot be read.
        """
        return self.reader.image(clip.neighbours[0]) if clip.neighbours else None


class PairSource:
    """Two halves of a pair: ``read`` runs in workers, the call on the device.

    Args:
        flow: Estimates the motion from drawn target to drawn neighbour.
        reader: Reads frames at the working size.
    """

    def __init__(self, flow: FlowEstimator, reader: FrameReader) -> None:
        self.flow, self.read = flow, NearestNeighbour(reader)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Pair:
        """Return the pair of a batch whose ``image`` is drawn, in 0..1, and not yet augmented in colour."""
        target, inside = batch["image"], batch["inside"]
        neighbour, found = batch.pop("neighbour").float() / 255, batch.pop("paired")
        flow = target.new_zeros(len(target), 2, *target.shape[-2:])
        if found.any():
            flow[found] = self.flow(target[found], neighbour[found])
        warped, seen = warp_to_target(neighbour, flow)
        size = (inside.shape[-2], inside.shape[-1])
        visible = F.adaptive_avg_pool2d(visibility(target, warped) * seen, size) * inside
        return Pair(neighbour, resize_flow(flow, size), visible, found)


def augment(batch: Batch, photometric: Callable[[Tensor], Tensor]) -> None:
    """Augment the colours of a batch's ``image``, and those of its ``pair`` by the same draw."""
    if "pair" not in batch:
        batch["image"] = photometric(batch["image"])
        return
    # as one tall picture both frames share their draw; only noise differs, as between the frames of a camera
    both = photometric(torch.cat((batch["image"], batch["pair"].image), -2))
    batch["image"], neighbour = both.chunk(2, -2)
    batch["pair"] = batch["pair"]._replace(image=neighbour)
