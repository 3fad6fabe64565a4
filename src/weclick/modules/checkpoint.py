"""Rebuilding the LightningModule of a checkpoint, to train it on or to look into it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from weclick.classes import ClassSet
from weclick.errors import CheckpointError, ConfigError
from weclick.inference.checkpoint import (
    STAGE_KEY,
    check_classes,
    check_stage,
    read_checkpoint,
    refused_options,
    refused_weights,
)
from weclick.inference.exported import SUFFIXES
from weclick.modules.base import SegmentationModule
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule

_MODULES: Final[dict[str, type[SegmentationModule]]] = {"teacher": TeacherModule, "student": StudentModule}


def load_checkpoint(
    path: Path | str, *, stage: str | None = None, classes: ClassSet | None = None
) -> SegmentationModule:
    """Rebuild the module of a checkpoint, in evaluation mode, on the CPU.

    For its labels alone, :func:`weclick.inference.model.open_model` is quicker, and opens exported models too.

    Args:
        path: Checkpoint file.
        stage: Refuse any other stage than this, ``teacher`` or ``student``.
        classes: Refuse a network trained for other classes than these.

    Raises:
        CheckpointError: See :func:`weclick.inference.checkpoint.read_checkpoint`; or an exported model, the wrong stage,
            other classes, or another version's options.
    """
    if Path(path).suffix in SUFFIXES:
        raise CheckpointError(f"{path} is an exported model, not a checkpoint; open it with weclick.open_model")
    checkpoint = read_checkpoint(path)
    check_stage(path, checkpoint[STAGE_KEY], stage)
    try:
        module = _MODULES[checkpoint[STAGE_KEY]](
            **{**checkpoint["hyper_parameters"], "pretrained": False, "compile": False}
        )
    except (TypeError, ConfigError) as error:
        raise refused_options(path, checkpoint, error) from None
    check_classes(path, module.classes, classes)
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise refused_weights(path, error) from None
    return module.eval()
