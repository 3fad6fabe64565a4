"""Options of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from weclick.extensions import Part
from weclick.options import Options, PositiveInt, PositiveShare

STRIDES: Final = (4, 8, 16, 32)
"""Strides of the feature maps a light network may fuse."""


@dataclass(frozen=True)
class NetworkOptions(Options):
    """Which network.

    Args:
        name: ``light`` (our own), ``pspnet`` (at full depth), ``lraspp`` (torchvision's), an architecture of
            segmentation_models.pytorch (``fpn``, ..., and its ``pspnet_shallow``), or a network from outside
            (:mod:`weclick.extensions`).
        encoder: A timm name for ``light`` and ``pspnet``; ``mobilenet_v3_large`` for ``lraspp``; an encoder name of
            segmentation_models.pytorch for the others (``tu-NAME`` there takes any timm encoder).
        weights: ``imagenet`` starts the encoder from its ImageNet weights, ``none`` from random ones; or a local file, or a timm
            name (``resnet101.tv_in1k``), of which all that fits is loaded and the rest is reported.
        width: Channels of the light network's head.
        strides: Encoder strides the light network fuses; logits have the first, the encoder ends at the last.
        scale: Share of the image's sides at which the network works.
        compile: Compile the network with torch.compile for training.
    """

    name: Part = "light"
    encoder: str = "tf_efficientnet_lite0"
    weights: str = "imagenet"
    width: PositiveInt = 64
    strides: tuple[PositiveInt, ...] = STRIDES
    scale: PositiveShare = 1.0
    compile: bool = False
