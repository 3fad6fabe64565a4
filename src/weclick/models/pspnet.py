"""PSPNet on a dilated encoder at full depth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weclick.models.layers import conv_bn_relu
from weclick.models.weights import dilated_encoder, encoder_channels

BINS = (1, 2, 3, 6)
"""Grids, in cells per side, that pyramid pooling averages over."""


class PSPNet(nn.Module):
    """Dilated encoder, pyramid pooling on its last stage, one convolution, classifier.

    segmentation_models.pytorch has a ``pspnet`` too, here ``pspnet_shallow``: its encoder ends at stride 8, so that two of four
    stages never run.

    Args:
        encoder: Name of a timm network whose strides can be replaced by dilation, for example ``resnet101.tv_in1k``.
        num_classes: Number of classes.
        pretrained: Start the encoder from ImageNet weights.

    Shape:
        (B, 3, H, W), H and W divisible by 8, to logits (B, num_classes, H / 8, W / 8).

    References:
        Zhao et al.: Pyramid Scene Parsing Network, CVPR 2017. The number of channels is a quarter of the last stage's, as there.
    """

    def __init__(self, encoder: str, num_classes: int, *, pretrained: bool = True) -> None:
        super().__init__()
        self.encoder = dilated_encoder(encoder, pretrained=pretrained)
        self.auxiliary_channels, channels = encoder_channels(self.encoder)
        self.pyramid = PyramidPooling(channels, BINS)
        width = max(channels // 4, 64)  # MobileNetV2 ends with 320 channels
        self.refine = conv_bn_relu(2 * channels, width, kernel=3)
        self.dropout = nn.Dropout2d(0.1)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor, auxiliary: nn.Module | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits; with an auxiliary head also those of the head, from the stage before the last."""
        third, last = self.encoder(images)
        logits: Tensor = self.classifier(self.dropout(self.refine(self.pyramid(last))))
        return logits if auxiliary is None else (logits, auxiliary(third))


class PyramidPooling(nn.Module):
    """Appends averages over grids of several sizes to a feature map.

    Args:
        channels: Channels of the map.
        bins: Cells per side of each grid.

    Shape:
        (B, channels, h, w) to (B, channels + len(bins) * (channels // len(bins)), h, w).
    """

    def __init__(self, channels: int, bins: Sequence[int]) -> None:
        super().__init__()
        self.bins = tuple(bins)
        width = channels // len(bins)
        # BatchNorm refuses the single value per channel that a batch of one has on the grid of one cell
        self.reduce = nn.ModuleList(
            conv_bn_relu(channels, width, kernel=1)
            if cells > 1
            else nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
            for cells in bins
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the map and its averages, concatenated."""
        size = features.shape[-2:]
        pooled = [
            F.interpolate(reduce(F.adaptive_avg_pool2d(features, cells)), size, mode="bilinear", align_corners=False)
            for cells, reduce in zip(self.bins, self.reduce, strict=True)
        ]
        return torch.cat([features, *pooled], 1)


class AuxiliaryHead(nn.Sequential):
    """A second head that is used in training only, on features from before the network's last stage.

    Args:
        channels: Channels of the features.
        num_classes: Number of classes.

    Shape:
        Features (B, channels, h, w) to logits (B, num_classes, h, w).

    References:
        Zhao et al.: Pyramid Scene Parsing Network, CVPR 2017, section 3.3.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        width = max(channels // 4, 64)
        super().__init__(conv_bn_relu(channels, width, kernel=3), nn.Dropout2d(0.1), nn.Conv2d(width, num_classes, 1))
