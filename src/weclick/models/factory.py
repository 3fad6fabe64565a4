"""One factory for all networks, and the wrapper that gives them one interface."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, reduce
from typing import Final

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.module import register_module_parameter_registration_hook

from weclick.conventions import Size
from weclick.errors import ConfigError, WeclickError, one_line
from weclick.extensions import make_part
from weclick.models.light import LightNet
from weclick.models.lraspp import LRASPP
from weclick.models.options import NetworkOptions
from weclick.models.pspnet import AuxiliaryHead, PSPNet
from weclick.models.weights import PACKAGED, load_weights, no_weights, packaged_state

DIVISOR: Final = 32
"""Encoders halve the image five times."""

MAX_PARAMETERS: Final = 1_000_000_000
"""Most parameters of a network: ten times those of the largest teachers in use, 4 GB."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel."""

IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class SegmentationNetwork(nn.Module):
    """A network with normalisation and padding built in: shrink, normalise, pad to a multiple of 32, run, remove the padding.

    Args:
        body: Maps normalised images, sides divisible by 32, to logits of a stride that divides 32.
        statistics: Mean and standard deviation that the body's encoder was trained with.
        scale: Share of the image's sides at which the body works.

    Shape:
        RGB images (B, 3, H, W) in 0..1, any H and W, to logits (B, C, h, w), with h and w the shrunk image's sides divided
        by the body's stride, rounded up. The logits cover exactly the image: the centre of column i lies at
        ``(i + 0.5) * W / w``, measured from the image's left edge.
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

    def auxiliary_head(self, num_classes: int) -> nn.Module:
        """Return a new head for training; see :class:`~weclick.models.pspnet.AuxiliaryHead`.

        Raises:
            ConfigError: The body cannot use one.
        """
        channels = getattr(self.body, "auxiliary_channels", None)
        if channels is None:
            raise ConfigError(
                "this network takes no auxiliary head; set terms.auxiliary.weight to 0, or choose light or pspnet"
            )
        return AuxiliaryHead(channels, num_classes)

    def forward(self, images: Tensor, auxiliary: nn.Module | None = None) -> Tensor | tuple[Tensor, ...]:
        """Return logits of ``images``; with an auxiliary head also those of the head."""
        if self.scale != 1:
            size = [max(1, round(side * self.scale)) for side in images.shape[-2:]]
            images = F.interpolate(images, size, mode="bilinear", align_corners=False)
        height, width = images.shape[-2:]
        padding = (-width % DIVISOR, -height % DIVISOR)
        normalised = (images - self.mean) / self.std
        if any(padding):
            normalised = F.pad(normalised, (0, padding[0], 0, padding[1]))
        if auxiliary is None:
            return _on_image(self.body(normalised), normalised.shape[-1], (height, width))
        both = self.body(normalised, auxiliary)
        return tuple(_on_image(logits, normalised.shape[-1], (height, width)) for logits in both)


def _on_image(logits: Tensor, padded_width: int, size: Size) -> Tensor:
    """Return logits of a padded image on cells that cover exactly the image."""
    stride = padded_width // logits.shape[-1]
    return _without_padding(_without_padding(logits, -2, size[0], stride), -1, size[1], stride)


def _without_padding(logits: Tensor, dim: int, side: int, stride: int) -> Tensor:
    """Return the logits of the first ``side`` pixels along an axis, on cells that cover exactly these.

    Cropping alone leaves a last cell that reaches into the padding; resized to the image, the map would be off by up to a
    cell there. Cell i moves back by less than one cell, so it is interpolated between cells i - 1 and i.
    """
    cells = -(-side // stride)
    logits = logits.narrow(dim, 0, cells)
    if side == cells * stride:
        return logits
    # not F.interpolate(scale_factor=): torch copies its input where scale and rounding leave the size as it is
    back = (torch.arange(cells, device=logits.device) + 0.5) * (1 - side / (cells * stride))
    previous = torch.cat([logits.narrow(dim, 0, 1), logits.narrow(dim, 0, cells - 1)], dim)
    return logits + back.to(logits.dtype).view([-1] + [1] * (-1 - dim)) * (previous - logits)


def make_network(options: NetworkOptions, num_classes: int) -> SegmentationNetwork:
    """Build a segmentation network in the channels-last memory format, the faster one for convolutions.

    A network from outside is an ``nn.Module`` made with ``num_classes`` and its ``init_args``; it takes normalised images whose
    sides are multiples of 32 and returns logits at any stride. Attributes ``mean`` and ``std``, if it has them, say how images
    are normalised; otherwise as for ImageNet.

    Raises:
        ConfigError: Unknown network or encoder, or weights that cannot be loaded.

    Example:
        >>> make_network(NetworkOptions("pspnet", "resnet18", weights="none"), 11)(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 11, 8, 12])
    """
    encoder, pretrained = options.encoder, options.weights == "imagenet"
    makers: dict[str, Callable[..., nn.Module]] = {
        "light": partial(LightNet, encoder, pretrained=pretrained, width=options.width, strides=options.strides),
        "lraspp": partial(LRASPP, encoder, pretrained=pretrained),
        "pspnet": partial(PSPNet, encoder, pretrained=pretrained),
        **{name: partial(_smp_network, name, encoder, pretrained=pretrained) for name in _architectures()},
    }
    with _bounded_parameters():
        body = make_part("network", options.name, makers, ("forward", "state_dict"), num_classes=num_classes)
    if options.weights not in ("imagenet", "none"):
        load_weights(body, options.weights)
    network = SegmentationNetwork(body, _statistics(options, body), options.scale)
    return network.to(memory_format=torch.channels_last)


@contextmanager
def _bounded_parameters() -> Iterator[None]:
    """Refuse to make more than ``MAX_PARAMETERS`` in the block, before their memory is used.

    Raises:
        ConfigError: There are more. It may be a mistyped width, or a file from a stranger.
    """
    total = 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal total
        total += parameter.numel()
        if total > MAX_PARAMETERS:
            raise ConfigError(f"it has more than {MAX_PARAMETERS:,} parameters; choose a smaller encoder or width")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _architectures() -> dict[str, type[nn.Module]]:
    """Return the architectures of segmentation_models.pytorch by name; its PSPNet is not the one of the paper."""
    classes = sorted(smp.MODEL_ARCHITECTURES_MAPPING.values(), key=lambda cls: cls.__name__)
    return {"pspnet_shallow" if cls is smp.PSPNet else cls.__name__.lower(): cls for cls in classes}


def _statistics(options: NetworkOptions, body: nn.Module) -> Statistics:
    """Return the normalisation that the encoder's ImageNet weights were trained with, or that a network from outside states."""
    mean, std = getattr(body, "mean", None), getattr(body, "std", None)
    if mean is not None and std is not None:
        return tuple(mean), tuple(std)
    if options.name not in ("light", "pspnet") and not options.encoder.startswith("tu-"):
        return IMAGENET
    config = timm.get_pretrained_cfg(options.encoder.removeprefix("tu-"))
    return (config.mean, config.std) if config else IMAGENET


def _smp_network(network: str, encoder: str, *, num_classes: int, pretrained: bool) -> nn.Module:
    # names of other forms would have timm ask a hub for the network, even without weights
    known = (
        timm.is_model(encoder.removeprefix("tu-")) if encoder.startswith("tu-") else encoder in smp.encoders.encoders
    )
    if not known:
        raise ConfigError(
            f"unknown encoder {encoder!r} for {network}; name one of segmentation_models.pytorch or tu-NAME"
        )
    architecture = _architectures()[network]
    packaged = pretrained and encoder.removeprefix("tu-") in PACKAGED
    options = {"upsampling": 1} if "upsampling" in inspect.signature(architecture).parameters else {}
    try:
        body: nn.Module = architecture(
            encoder, encoder_weights="imagenet" if pretrained and not packaged else None, classes=num_classes, **options
        )
    except WeclickError:
        raise
    except Exception as error:  # hubs raise many kinds of errors without a network
        if pretrained:
            raise no_weights(encoder, error) from None
        raise ConfigError(f"network {network!r} cannot be built on encoder {encoder!r} ({one_line(error)})") from None
    if packaged:
        state = packaged_state(encoder.removeprefix("tu-"))
        inner: nn.Module = body.get_submodule("encoder.model")
        inner.load_state_dict({key: state[key] for key in inner.state_dict()})
    if network == "fpn":
        body.get_submodule("decoder").merge = _Sum()  # has no weights, either
    return body


class _Sum(nn.Module):
    """The sum of feature maps; stacking them first, as segmentation_models.pytorch does, takes a fifth of an FPN's time."""

    def forward(self, maps: list[Tensor]) -> Tensor:
        return reduce(torch.add, maps)
