"""Loading checkpoints of either stage, safely and with clear refusals."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

from weclick.classes import ClassSet
from weclick.errors import CheckpointError, ConfigError, one_line
from weclick.inference.exported import SUFFIXES
from weclick.modules.base import CLASS_KEY, STAGE_KEY, VERSION_KEY, SegmentationModule
from weclick.modules.exported import ExportedModule
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule

STAGES: dict[str, type[SegmentationModule]] = {"teacher": TeacherModule, "student": StudentModule}
PARTS: Final = {STAGE_KEY, "hyper_parameters", "state_dict"}
"""What a checkpoint must hold."""


def load_weights(path: Path | str) -> dict[str, Any]:
    """Read a checkpoint file without running code from it.

    Raises:
        CheckpointError: It is a URL, missing, damaged, holds more than weights, or is not ours.
    """
    _refuse_url(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {path} not found") from None
    except IsADirectoryError:
        raise CheckpointError(f"checkpoint {path} is a folder; name a file in it, or name a run with --run") from None
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read ({error.strerror or one_line(error)})") from None
    except Exception as error:  # a file that is no checkpoint raises nearly anything: struct.error, IndexError, ...
        # what torch says advises its own callers, not ours; --debug shows it
        raise CheckpointError(
            f"checkpoint {path} is damaged or no checkpoint; name one that weclick fit wrote"
        ) from error
    if not isinstance(checkpoint, dict) or not checkpoint.keys() >= PARTS or checkpoint[STAGE_KEY] not in STAGES:
        raise CheckpointError(f"{path} is no checkpoint of a weclick teacher or student")
    return checkpoint


def _refuse_url(path: Path | str) -> None:
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(path)):
        raise CheckpointError(f"{path} is a URL; fetch the file and name it instead")


def load_checkpoint(
    path: Path | str, *, stage: str | None = None, classes: ClassSet | None = None
) -> SegmentationModule:
    """Rebuild the module of a checkpoint, in evaluation mode, on the CPU.

    Args:
        path: Checkpoint file, or an exported student (``.onnx``, ``.xml``).
        stage: Refuse any other stage than this, ``teacher`` or ``student``.
        classes: Refuse a network trained for other classes than these.

    Raises:
        CheckpointError: See :func:`load_weights`; or the wrong stage, other classes, or another version's options.
    """
    _refuse_url(path)
    if Path(path).suffix in SUFFIXES:
        exported = ExportedModule.open(Path(path))
        _refuse_stage(path, exported.stage, stage)
        _refuse_classes(path, exported.classes, classes)
        return exported.eval()
    checkpoint = load_weights(path)
    found = checkpoint[STAGE_KEY]
    _refuse_stage(path, found, stage)
    module = _rebuilt(path, checkpoint)
    _refuse_classes(path, module.classes, classes)
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"weights in {path} do not fit its network ({one_line(error)})") from None
    return module.eval()


def _rebuilt(path: Path | str, checkpoint: dict[str, Any]) -> SegmentationModule:
    """Return the module with the options the checkpoint was trained with, but not yet its weights."""
    try:
        saved = checkpoint["hyper_parameters"]
        network = {**saved["options"]["network"], "pretrained": False, "compile": False}
        options = {**saved["options"], "network": network}
        return _module_class(checkpoint)(saved["classes"], saved["size"], options)
    except (KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(
            f"{path} has options that this weclick (version {version('weclick')}) does not take "
            f"({one_line(error)}); it was made by version {checkpoint.get(VERSION_KEY, 'unknown')}: "
            "use that, or train again"
        ) from None


def _module_class(checkpoint: dict[str, Any]) -> type[SegmentationModule]:
    """Return the class that was saved; one from outside only if its module is loaded: a checkpoint imports nothing.

    Raises:
        ConfigError: The class is not loaded, or is no module of the checkpoint's stage.
    """
    base = STAGES[checkpoint[STAGE_KEY]]
    module, _, name = str(checkpoint[CLASS_KEY]).rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    if found is None:
        raise ConfigError(f"its class {module}.{name} is not loaded; give weclick --import {module}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{module}.{name} is no {base.__name__}")
    return found


def _refuse_stage(path: Path | str, found: str, wanted: str | None) -> None:
    if wanted is not None and found != wanted:
        raise CheckpointError(f"{path} is a {found} checkpoint; a {wanted} checkpoint is needed here")


def _refuse_classes(path: Path | str, found: ClassSet, wanted: ClassSet | None) -> None:
    if wanted is not None and found.names != wanted.names:
        raise CheckpointError(
            f"{path} was trained for {len(found)} classes ({', '.join(found.names)}), the data set "
            f"has {len(wanted)} ({', '.join(wanted.names)}); choose the checkpoint's data set"
        )
