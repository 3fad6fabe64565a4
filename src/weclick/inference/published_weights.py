"""A published model's weights and description: written from a checkpoint, and read as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from weclick.errors import CheckpointError, one_line
from weclick.files import sha256, write_json
from weclick.inference.checkpoint import NETWORK, STAGE_KEY, VERSION_KEY, check_parts, read_checkpoint, saved_options
from weclick.inference.published import CONFIG, SUMS, WEIGHTS, read_config, whole_file


def write_config(folder: Path, checkpoint: Path) -> None:
    """Write ``config.json``, last of all files: without it the folder is not a model."""
    content = read_checkpoint(checkpoint)
    saved = content["hyper_parameters"]
    config = {
        STAGE_KEY: content[STAGE_KEY],
        VERSION_KEY: content.get(VERSION_KEY),
        "hyper_parameters": {
            "classes": saved["classes"],
            "size": saved["size"],
            "options": {"network": saved_options(content)["network"]},
        },
        SUMS: {file.name: sha256(file, 64) for file in sorted(folder.iterdir())},
    }
    write_json(folder / CONFIG, config)


def read_published(folder: Path) -> dict[str, Any]:
    """Read a published model as the checkpoint that it was made of.

    Raises:
        CheckpointError: A file of it is missing or damaged, or it was not made by weclick.
    """
    path = whole_file(folder, WEIGHTS)
    try:
        weights = load_file(path)
    except Exception as error:  # safetensors raises several kinds of errors on files of other formats
        raise CheckpointError(f"{path} is not a file of safetensors ({one_line(error)}); copy it again") from None
    checkpoint = {**read_config(folder), "state_dict": {f"{NETWORK}{name}": one for name, one in weights.items()}}
    check_parts(folder, checkpoint)
    return checkpoint
