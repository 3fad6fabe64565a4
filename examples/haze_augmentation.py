"""A colour augmentation from outside: haze.

    weclick --import haze_augmentation fit --config demo.yaml --data.draws.colour \
        '{class_path: haze_augmentation.Haze, init_args: {most: 0.6}}'

An augmentation is an ``nn.Module`` made with its ``init_args``, from a batch of RGB images (B, 3, H, W) in 0..1 to the same. It
runs on the training device and changes colours only: whatever moves pixels would have to move clicks and memory with them. Draw
from torch's global generator: weclick seeds it for every step, so that a resumed training draws the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Haze(nn.Module):
    """Blends each image with a light grey, thicker towards the top, where the distance usually is.

    Args:
        most: Thickest haze at the top, as a share of the picture.
    """

    def __init__(self, most: float = 0.5) -> None:
        super().__init__()
        self.most = most

    def forward(self, images: Tensor) -> Tensor:
        """Return hazy images."""
        top = torch.linspace(1, 0, images.shape[-2], device=images.device).view(1, 1, -1, 1)
        amount = self.most * torch.rand(len(images), 1, 1, 1, device=images.device) * top
        return images * (1 - amount) + 0.85 * amount
