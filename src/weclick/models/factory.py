"""One factory for all networks, and the wrapper that gives them one interface."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Final

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weclick.errors import ConfigError, one_line
from weclick.models.light import LightNet
from weclick.models.lraspp import LRASPP
from weclick.models.weights import PACKAGED, STRIDES, no_weights, packaged_state

DIVISOR: Final = 32
"""Encoders halve the image five times."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel."""

IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class SegmentationNetwork(nn.Module):
    """Shrinks, normalises, pads to a multiple of 32, runs the network, crops the padding from its logits.

    Args:
        body: Normalised images, sides divisible by 32, to logits.
        statistics: What the body wants images normalised by.
        scale: Share of the image's sides at which the body works.

    Shape:
        RGB images (B, 3, H, W) in 0..1, any H and W, to logits (B, C, h, w) at the body's own stride of the shrunk image.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, statistics: Statistics, scale: float = 1.0) -> None:
        super().__init__()
        if not 0 < scale <= 1:
            raise ConfigError(f"scale must be above 0 and at most 1, found {scale}")
        self.body, self.scale = body, scale
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in statistics)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of ``images``."""
        if self.scale != 1:
            size = [max(1, round(side * self.scale)) for side in images.shape[-2:]]
            images = F.interpolate(images, size, mode="bilinear", align_corners=False)
        height, width = images.shape[-2:]
        padding = (-width % DIVISOR, -height % DIVISOR)
        normalised = (images - self.mean) / self.std
        if any(padding):
            normalised = F.pad(normalised, (0, padding[0], 0, padding[1]))
        logits: Tensor = self.body(normalised)
        if any(padding):
            stride = normalised.shape[-1] // logits.shape[-1]
            logits = logits[..., : -(-height // stride), : -(-width // stride)]
        return logits


def make_network(
    network: str = "light",
    encoder: str = "tf_efficientnet_lite0",
    *,
    num_classes: int,
    pretrained: bool = True,
    width: int = 64,
    strides: Sequence[int] = STRIDES,
    scale: float = 1.0,
) -> SegmentationNetwork:
    """Build a segmentation network.

    Args:
        network: ``light`` for our own, ``lraspp`` for torchvision's, or an architecture of segmentation_models.pytorch
            (``pspnet``, ``fpn``, ...).
        encoder: A timm name for ``light``; ``mobilenet_v3_large`` for ``lraspp``; an encoder name of
            segmentation_models.pytorch for the others (``tu-NAME`` there takes any timm encoder).
        num_classes: Number of classes.
        pretrained: Start the encoder from ImageNet weights.
        width: Channels of the light network's head; the others keep their own.
        strides: Encoder strides the light network fuses, see :class:`LightNet`; the others keep their own.
        scale: Share of the image's sides at which the network works.

    Raises:
        ConfigError: Unknown network or encoder, or weights that cannot be had.

    Example:
        >>> make_network("pspnet", "resnet18", num_classes=11, pretrained=False)(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 11, 8, 12])
    """
    if network == "light":
        body: nn.Module = LightNet(encoder, num_classes, pretrained=pretrained, width=width, strides=strides)
    elif network == "lraspp":
        body = LRASPP(encoder, num_classes, pretrained=pretrained)
    else:
        body = _smp_network(network, encoder, num_classes, pretrained)
    return SegmentationNetwork(body, _statistics(network, encoder), scale)


def _statistics(network: str, encoder: str) -> Statistics:
    """Return what the encoder's ImageNet weights were trained with."""
    if network != "light" and not encoder.startswith("tu-"):
        return IMAGENET
    config = timm.get_pretrained_cfg(encoder.removeprefix("tu-"))
    return (config.mean, config.std) if config else IMAGENET


def _smp_network(network: str, encoder: str, num_classes: int, pretrained: bool) -> nn.Module:
    known = {cls.__name__.lower(): cls for cls in smp.MODEL_ARCHITECTURES_MAPPING.values()}
    if network not in known:
        raise ConfigError(f"unknown network {network!r}; choose light, lraspp, {', '.join(sorted(known))}")
    packaged = pretrained and encoder.removeprefix("tu-") in PACKAGED
    options = {"upsampling": 1} if "upsampling" in inspect.signature(known[network]).parameters else {}
    try:
        body: nn.Module = known[network](
            encoder, encoder_weights="imagenet" if pretrained and not packaged else None, classes=num_classes, **options
        )
    except KeyError as error:
        raise ConfigError(f"unknown encoder {encoder!r} for {network} ({one_line(error)})") from None
    except Exception as error:  # hubs raise many kinds of errors without a network
        if pretrained:
            raise no_weights(encoder, error) from None
        raise ConfigError(f"network {network!r} cannot be built on encoder {encoder!r} ({one_line(error)})") from None
    if packaged:
        state = packaged_state(encoder.removeprefix("tu-"))
        inner: nn.Module = body.get_submodule("encoder.model")
        inner.load_state_dict({key: state[key] for key in inner.state_dict()})
    return body
