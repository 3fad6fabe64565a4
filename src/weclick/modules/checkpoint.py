"""Rebuilding the LightningModule of a checkpoint, to continue its training or to inspect it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from weclick.classes import ClassSet
from weclick.errors import CheckpointError, ConfigError, WeclickError
from weclick.extensions import NotLoadedError
from weclick.inference.checkpoint import (
    CLASS_KEY,
    STAGE_KEY,
    read_checkpoint,
    refused_options,
    refused_weights,
    saved_options,
    saved_size,
)
from weclick.inference.checks import check_classes, check_stage
from weclick.inference.exported import SUFFIXES
from weclick.modules.base import SegmentationModule
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule

_MODULES: Final[dict[str, type[SegmentationModule]]] = {"teacher": TeacherModule, "student": StudentModule}


def load_checkpoint(
    path: Path | str, *, stage: str | None = None, classes: ClassSet | None = None
) -> SegmentationModule:
    """Rebuild the module of a checkpoint, of the class that was saved, in evaluation mode, on the CPU.

    To predict only, use :func:`weclick.inference.opening.open_model`: it is faster and opens exported models too.

    Args:
        path: Checkpoint file.
        stage: The only stage to accept, ``teacher`` or ``student``; by default both.
        classes: The only classes to accept; by default any.

    Raises:
        CheckpointError: See :func:`weclick.inference.checkpoint.read_checkpoint`; or an exported model, the wrong stage,
            other classes, another version's options, or a class whose module is not loaded.
    """
    if Path(path).suffix in SUFFIXES:
        raise CheckpointError(f"{path} is an exported model, not a checkpoint; open it with weclick.open_model")
    checkpoint = read_checkpoint(path)
    check_stage(path, checkpoint[STAGE_KEY], stage)
    try:
        classes_of_it, size = checkpoint["hyper_parameters"]["classes"], saved_size(checkpoint)
        module = _module_class(checkpoint)(classes_of_it, size, saved_options(checkpoint))
    except (WeclickError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise refused_options(path, checkpoint, error) from None
    check_classes(path, module.classes, classes)
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, TypeError) as error:  # shapes or names differ; no mapping of tensors at all
        raise refused_weights(path, error) from None
    return module.eval()


def _module_class(checkpoint: dict[str, Any]) -> type[SegmentationModule]:
    """Return the class of the saved module. One from outside must be loaded already: a checkpoint imports nothing.

    Raises:
        NotLoadedError: The class is not loaded.
        ConfigError: It is not a module of the checkpoint's stage.
    """
    base = _MODULES[checkpoint[STAGE_KEY]]
    module, _, name = str(checkpoint[CLASS_KEY]).rpartition(".")
    saved = getattr(sys.modules.get(module), name, None)
    if saved is None:
        raise NotLoadedError(f"its class {module}.{name} is not loaded; give weclick --import {module}")
    if not (isinstance(saved, type) and issubclass(saved, base)):
        raise ConfigError(f"{module}.{name} is no {base.__name__}")
    return saved
