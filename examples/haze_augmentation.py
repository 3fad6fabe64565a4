"""A colour augmentation from outside: haze.

    weclick --import haze_augmentation fit --config demo.yaml --data.draws.colour \
        '{class_path: haze_augmentation.Haze, init_args: {most: 0.6}}'

An augmentation is an ``nn.Module`` made with its ``init_args``, from a batch of RGB images (B, 3, H, W) in 0..1 to the same. It
gets them on the training device, and changes colours only: to move pixels, it would have to move clicks and memory too. Use
torch's global random generator: weclick seeds it in every step, so that a resumed training draws the same numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Haze(nn.Module):
    """Blends each image with light grey, by a random share.

    Args:
        most: Largest share of grey.
    """

    def __init__(self, most: float = 0.5) -> None:
        super().__init__()
        self.most = most

    def forward(self, images: Tensor) -> Tensor:
        """Return hazy images."""
        # the same for all pixels: with a temporal loss, an image holds a target above its neighbour
        share = self.most * torch.rand(len(images), 1, 1, 1, device=images.device)
        return images * (1 - share) + 0.85 * share
