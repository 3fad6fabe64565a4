"""Opening a trained network for use, from a checkpoint or from an exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from weclick.classes import ClassSet
from weclick.extensions import part_name
from weclick.inference.checkpoint import (
    STAGE_KEY,
    Stage,
    build_network,
    check_classes,
    check_stage,
    read_checkpoint,
    refuse_url,
    saved_options,
)
from weclick.inference.exported import SUFFIXES, ExportedNetwork
from weclick.inference.model import ExportedModel, Model, TorchModel


def open_model(
    path: Path | str,
    *,
    stage: str | None = None,
    classes: ClassSet | None = None,
    device: torch.device | str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> Model:
    """Open a checkpoint or an exported model (``.onnx``, ``.xml``) for use.

    Args:
        path: The file.
        stage: Refuse any other stage than this, ``teacher`` or ``student``.
        classes: Refuse a network trained for other classes than these.
        device: Where a checkpoint's network is to run; an exported model's runtime decides for itself.
        precision: Of a checkpoint's network; an exported model has its own.

    Raises:
        CheckpointError: The file is missing, damaged, not made by weclick or by another version, or not what is needed.
        ConfigError: The package that runs an exported model is not installed.
    """
    refuse_url(path)
    if Path(path).suffix in SUFFIXES:
        model: Model = ExportedModel(ExportedNetwork.open(Path(path)))
        check_stage(path, model.stage, stage)
    else:
        checkpoint = read_checkpoint(path)
        found: Stage = checkpoint[STAGE_KEY]
        check_stage(path, found, stage)
        network, own, size = build_network(path, checkpoint)
        options = saved_options(checkpoint)["network"]
        name = f"{part_name('network', options['name'])} {options['encoder']}"
        model = TorchModel(network, own, found, size, device=device, precision=precision, name=name)
    check_classes(path, model.classes, classes)
    return model
