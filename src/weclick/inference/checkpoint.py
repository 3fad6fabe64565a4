"""Reading a checkpoint file safely, and building the network it holds, without Lightning."""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args
from zipfile import ZIP_STORED, BadZipFile, ZipFile, is_zipfile

import torch
from safetensors.torch import save
from torch import Tensor, nn

from weclick.classes import ClassSet
from weclick.conventions import MAX_PIXELS, Size
from weclick.errors import CheckpointError, ConfigError, WeclickError, one_line
from weclick.extensions import NotLoadedError
from weclick.files import write_bytes
from weclick.inference.checks import Stage, refuse_url
from weclick.inference.recorded import refuse_changed

if TYPE_CHECKING:
    from weclick.models.factory import SegmentationNetwork

STAGE_KEY: Final = "weclick_stage"
"""Key of a checkpoint's stage."""
VERSION_KEY: Final = "weclick_version"
"""Key of the version of weclick that wrote a checkpoint."""

CLASS_KEY: Final = "weclick_class"
"""Key of the class of a checkpoint's module, as ``module.Class``."""

PARTS: Final = {STAGE_KEY, "hyper_parameters", "state_dict"}
"""Keys that every checkpoint has."""

NETWORK: Final = "network."
"""Beginning of the names of a network's weights in a checkpoint."""


def is_whole(path: Path) -> bool:
    """Return whether a checkpoint exists and is complete, without reading it: its table of contents comes last."""
    return is_zipfile(path)


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read a checkpoint file without running code from it.

    Raises:
        CheckpointError: It is a URL, missing, damaged, holds more than weights or weights that are not finite, was not
            written by weclick, or was changed after its training.
    """
    refuse_url(path)
    try:
        _check_sums(path)
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {path} not found") from None
    except IsADirectoryError:
        raise CheckpointError(f"checkpoint {path} is a folder; name a file in it, or name a run with --run") from None
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read ({error.strerror or one_line(error)})") from None
    except Exception as error:  # a file that is no checkpoint raises nearly anything: struct.error, IndexError, ...
        # torch's message advises its own callers, not ours; --debug shows it
        raise CheckpointError(
            f"checkpoint {path} is damaged or no checkpoint; copy it again, or name one that weclick fit wrote"
        ) from error
    check_parts(path, checkpoint)
    refuse_changed(Path(path))
    return checkpoint


def write_weights(path: Path, network: nn.Module) -> None:
    """Write a network's weights as safetensors, atomically."""
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    # in memory, as an error of the library's own writer does not state what is wrong with the disk
    write_bytes(path, save(weights, metadata={"format": "pt"}))


def weights_id(path: Path | str) -> str:
    """Return a short hash of a checkpoint's weights: that of another file with the same weights is the same.

    Raises:
        CheckpointError: As for :func:`read_checkpoint`.
    """
    weights = {name: tensor.contiguous() for name, tensor in read_checkpoint(path)["state_dict"].items()}
    return sha256(save(weights)).hexdigest()[:16]


def check_parts(path: Path | str, checkpoint: Any) -> None:  # noqa: ANN401 - whatever was read
    """Refuse what is not a whole checkpoint with usable weights.

    Raises:
        CheckpointError: A part is missing, or weights are not finite.
    """
    whole = isinstance(checkpoint, dict) and checkpoint.keys() >= PARTS and checkpoint[STAGE_KEY] in get_args(Stage)
    if not whole or not all(isinstance(checkpoint[name], dict) for name in ("hyper_parameters", "state_dict")):
        raise CheckpointError(f"{path} is no checkpoint of a weclick teacher or student")
    _check_weights(path, checkpoint["state_dict"])


def _check_sums(path: Path | str) -> None:
    """Compare the file's contents with their checksums, which torch does not do.

    Raises:
        BadZipFile: They differ, or the contents would grow when they are read; torch writes nothing compressed.
    """
    with ZipFile(path) as archive:
        members = archive.infolist()
        grows = sum(member.file_size for member in members) > Path(path).stat().st_size
        if grows or any(member.compress_type != ZIP_STORED for member in members) or archive.testzip() is not None:
            raise BadZipFile


def _check_weights(path: Path | str, weights: dict[str, Any]) -> None:
    for name, tensor in weights.items():
        if not isinstance(tensor, Tensor):
            continue
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():  # a single value, repeated
            raise CheckpointError(f"{path} holds fewer values than {name} claims; name one that weclick fit wrote")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(
                f"{path} holds weights that are not finite ({name}): its training diverged; use an earlier checkpoint, or "
                "train again with a lower learning rate"
            )


def refused_options(path: Path | str, checkpoint: dict[str, Any], error: Exception) -> CheckpointError:
    """Return the error to raise when a checkpoint's options are not those of this version, or name a part not loaded here."""
    if isinstance(error, NotLoadedError):
        return CheckpointError(f"{path} cannot be opened: {error}")
    return CheckpointError(
        f"{path} has options that this weclick (version {version('weclick')}) does not take ({one_line(error)}); it was "
        f"made by version {checkpoint.get(VERSION_KEY, 'unknown')}: use that, or train again"
    )


def saved_options(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return the options a module was trained with, without those that only matter when training starts.

    Raises:
        ConfigError: They are those of an earlier version.
    """
    if "options" not in checkpoint["hyper_parameters"]:
        raise ConfigError("its options have no groups")
    options = checkpoint["hyper_parameters"]["options"]
    return {**options, "network": {**options["network"], "weights": "none", "compile": False}}


def saved_size(checkpoint: dict[str, Any]) -> Size:
    """Return the size (H, W) a module was trained at.

    Raises:
        ConfigError: It is none, or larger than any machine could run.
    """
    height, width = map(int, checkpoint["hyper_parameters"]["size"])
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise ConfigError(f"a size of {height} x {width}; at most {MAX_PIXELS} pixels can be run")
    return height, width


def build_network(path: Path | str, checkpoint: dict[str, Any]) -> tuple[SegmentationNetwork, ClassSet, Size]:
    """Build the network of a checkpoint, in evaluation mode, on the CPU.

    Args:
        path: File the checkpoint was read from, for messages.
        checkpoint: As :func:`read_checkpoint` returns it.

    Returns:
        The network, its classes, and the size (H, W) it was trained at.

    Raises:
        CheckpointError: Options of another version, or weights that do not fit.
    """
    from weclick.models.factory import make_network  # exported models do without it, and it takes seconds
    from weclick.models.options import NetworkOptions

    try:
        options, size = saved_options(checkpoint), saved_size(checkpoint)
        classes = ClassSet.from_list(checkpoint["hyper_parameters"]["classes"])
        network = make_network(NetworkOptions.of(options["network"], "network"), len(classes))
    except (WeclickError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise refused_options(path, checkpoint, error) from None
    prefixed = checkpoint["state_dict"].items()
    weights = {name.removeprefix(NETWORK): tensor for name, tensor in prefixed if name.startswith(NETWORK)}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise refused_weights(path, error) from None
    return network.eval(), classes, size


def refused_weights(path: Path | str, error: Exception) -> CheckpointError:
    """Return the error to raise when a checkpoint's weights do not fit the network of its options."""
    return CheckpointError(f"weights in {path} do not fit its network ({one_line(error)})")
