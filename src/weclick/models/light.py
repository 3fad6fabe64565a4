"""The light student: a timm encoder with a small fusion head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weclick.models.layers import conv_bn
from weclick.models.options import STRIDES
from weclick.models.weights import encoder_channels, make_encoder


class LightNet(nn.Module):
    """Encoder features of several strides, summed top-down at the finest of them, refined once, classified.

    Only convolutions, additions, bilinear resizing and one global mean, so that it exports at any size and runs
    quickly on a CPU.

    Args:
        encoder: Name of a timm network that gives feature maps, for example ``tf_efficientnet_lite0``.
        num_classes: Number of classes.
        pretrained: Start the encoder from ImageNet weights.
        width: Channels of the head.
        strides: Which of the encoder's feature maps are fused; logits have the first, the encoder ends at the last.

    Shape:
        (B, 3, H, W), H and W divisible by the last stride s_n, to logits (B, num_classes, H / s_1, W / s_1).
    """

    def __init__(
        self,
        encoder: str,
        num_classes: int,
        *,
        pretrained: bool = True,
        width: int = 64,
        strides: Sequence[int] = STRIDES,
    ) -> None:
        super().__init__()
        self.encoder = make_encoder(encoder, pretrained=pretrained, strides=strides)
        channels = encoder_channels(self.encoder)
        self.auxiliary_channels = channels[-1]
        self.lateral = nn.ModuleList(conv_bn(c, width, kernel=1) for c in channels)
        self.context = nn.Conv2d(channels[-1], width, 1)
        self.refine = nn.Sequential(
            conv_bn(width, width, kernel=3, groups=width), nn.ReLU(), conv_bn(width, width, kernel=1), nn.ReLU()
        )
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor, auxiliary: nn.Module | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits at the finest stride; with an auxiliary head also those of the head, from the encoder's last map."""
        features = self.encoder(images)
        fused = self.lateral[-1](features[-1]) + self.context(features[-1].mean((2, 3), keepdim=True))
        for lateral, feature in zip(reversed(self.lateral[:-1]), reversed(features[:-1]), strict=True):
            fused = lateral(feature) + F.interpolate(fused, size=feature.shape[-2:], mode="bilinear")
        logits: Tensor = self.classifier(self.refine(torch.relu(fused)))
        return logits if auxiliary is None else (logits, auxiliary(features[-1]))
