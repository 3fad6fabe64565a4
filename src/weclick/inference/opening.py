"""Opening a trained network for use, from a checkpoint, an exported model or a published folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from weclick.classes import ClassSet
from weclick.errors import ConfigError
from weclick.inference.checks import check_classes, check_stage, refuse_url
from weclick.inference.exported import SUFFIXES, ExportedNetwork
from weclick.inference.formats import FORMATS
from weclick.inference.model import ExportedModel, Model
from weclick.inference.published import is_published, whole_file
from weclick.inference.toolkits import missing

if TYPE_CHECKING:
    import torch


def open_model(
    path: Path | str,
    *,
    stage: str | None = None,
    classes: ClassSet | None = None,
    device: torch.device | str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> Model:
    """Open a checkpoint, an exported model (``.onnx``, ``.xml``) or the folder of a published model for use.

    Args:
        path: The file, or a folder made by ``weclick package``. Of that the weights run in PyTorch or, where it is not
            installed, the ONNX file on ONNX Runtime.
        stage: Refuse any other stage than this, ``teacher`` or ``student``.
        classes: Refuse a network trained for other classes than these.
        device: Where a network in PyTorch is to run; an exported model's runtime decides for itself.
        precision: Of a network in PyTorch; an exported model has its own.

    Raises:
        CheckpointError: The file is missing, damaged, not made by weclick or by another version, or not what is needed.
        ConfigError: The package that runs it is not installed.
    """
    refuse_url(path)
    path, has_torch = Path(path), not missing(["torch"])
    if is_published(path) and not has_torch:
        path = whole_file(path, FORMATS["onnx"].file)
    if path.suffix in SUFFIXES:
        model: Model = ExportedModel(ExportedNetwork.open(path))
        check_stage(path, model.stage, stage)
    elif has_torch:
        from weclick.inference.torch_model import open_checkpoint  # exported models need no torch

        model = open_checkpoint(path, stage, device, precision)
    else:
        raise ConfigError(
            f"{path} needs PyTorch, which is not installed; name an exported model ({', '.join(SUFFIXES)}) or a folder that "
            "weclick package wrote, or install weclick with all it depends on"
        )
    check_classes(path, model.classes, classes)
    return model
