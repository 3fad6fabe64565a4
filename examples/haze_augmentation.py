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
    """Blends each image with light grey, most at the top, where the most distant things usually are.

    Args:
        most: Largest share of grey, at the top of the image.
    """

    def __init__(self, most: float = 0.5) -> None:
        super().__init__()
        self.most = most

    def forward(self, images: Tensor) -> Tensor:
        """Return hazy images."""
        top = torch.linspace(1, 0, images.shape[-2], device=images.device).view(1, 1, -1, 1)
        amount = self.most * torch.rand(len(images), 1, 1, 1, device=images.device) * top
        return images * (1 - amount) + 0.85 * amount
