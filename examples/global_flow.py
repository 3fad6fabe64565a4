"""A flow from outside: one translation for all pixels of an image, by phase correlation.

    weclick --import global_flow fit --config demo.yaml --memory.flow '{class_path: global_flow.GlobalShift}'

A flow is a class made with its ``init_args`` that has a ``name`` (it goes into the memory's manifest, so that memories of
different flows are never mixed) and is called with two batches of RGB images (B, 3, H, W), uint8 or floating in 0..1. It returns
flow (B, 2, H, W) on the target grid, in pixels: target pixel (x, y) is seen in the neighbour at (x + dx, y + dy).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


class GlobalShift:
    """The translation between two frames, for a camera that only pans.

    Args:
        largest: Largest shift to accept along an axis, in pixels; a larger one is replaced by no shift.
    """

    def __init__(self, largest: float = 64.0) -> None:
        self.largest = largest
        self.name = f"global-shift-{largest:g}"

    def __call__(self, target: Tensor, neighbour: Tensor) -> Tensor:
        """Return the same vector at every pixel of a pair."""
        flow = torch.zeros(len(target), 2, *target.shape[-2:], device=target.device)
        for index, pair in enumerate(zip(target, neighbour, strict=True)):
            here, there = (image.float().mean(0).cpu().numpy().astype(np.float64) for image in pair)
            shift, _ = cv2.phaseCorrelate(here, there)
            if max(map(abs, shift)) <= self.largest:
                flow[index] = torch.tensor(shift).view(2, 1, 1)
        return flow
