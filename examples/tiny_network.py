"""A network from outside: three convolutions.

    weclick --import tiny_network fit --config demo.yaml --student.network.name \
        '{class_path: tiny_network.TinyNet, init_args: {width: 24}}'

A network is an ``nn.Module`` made with ``num_classes`` and its ``init_args``. It takes normalised RGB images (B, 3, H, W) whose
sides are multiples of 32, and returns logits (B, num_classes, h, w) at any stride. ``mean`` and ``std`` are optional.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class TinyNet(nn.Module):
    """Logits at stride 4 from a receptive field of 19 pixels: too small to be good, small enough to read.

    Args:
        num_classes: Number of classes; weclick passes it.
        width: Channels of the hidden layers.
    """

    mean: ClassVar = (0.5, 0.5, 0.5)
    std: ClassVar = (0.25, 0.25, 0.25)

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, num_classes, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes, H / 4, W / 4)."""
        logits: Tensor = self.layers(images)
        return logits
