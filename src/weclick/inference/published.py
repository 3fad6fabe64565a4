"""The layout of a published model: a folder as model hubs have it. Reading it needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from weclick.errors import CheckpointError, one_line
from weclick.files import sha256

CONFIG: Final = "config.json"
"""All of a checkpoint but its weights, and under ``SUMS`` the SHA-256 of every other file of the folder; written last."""
WEIGHTS: Final = "model.safetensors"
MODEL_CARD: Final = "README.md"
REQUIREMENTS: Final = "requirements.txt"
"""Packages that run the folder's ONNX file without torch."""

SUMS: Final = "sha256"

UNSTATED_LICENCE: Final = "other"
"""Licence in the model card where none was named; hubs know this word."""

_MAX_BYTES: Final = 1 << 20


def is_published(folder: Path) -> bool:
    """Return whether a folder is a published model, or what is left of one."""
    return any((folder / name).is_file() for name in (CONFIG, WEIGHTS))


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``.

    Raises:
        CheckpointError: It is missing, damaged, or not of a published model.
    """
    path = folder / CONFIG
    try:
        with path.open("rb") as stream:
            config = json.loads(stream.read(_MAX_BYTES))
        if not isinstance(config, dict) or not isinstance(config.get(SUMS), dict):
            raise TypeError("it holds no model's description")
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} is not a whole published model: it has no {CONFIG}; copy it again, or make it with weclick package"
        ) from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged ({one_line(error)}); copy the folder again") from None
    return config


def whole_file(folder: Path, name: str) -> Path:
    """Return the path of a file of a published model, after comparing it with its checksum.

    Raises:
        CheckpointError: It is missing or differs, or ``config.json`` is not readable.
    """
    expected, path = read_config(folder)[SUMS].get(name), folder / name
    try:
        if expected != sha256(path, 64):
            raise CheckpointError(
                f"{path} is damaged or of another model: its SHA-256 is not that in {CONFIG}; copy it again"
            )
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); copy the folder again, whole") from None
    return path


def changed_files(folder: Path) -> list[str]:
    """Return what was added to a published model or changed in it since it was made, by name relative to the folder.

    Raises:
        CheckpointError: ``config.json`` is not readable.
    """
    sums = {**read_config(folder)[SUMS], CONFIG: None}
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    return sorted(
        name for name, path in names.items() if name not in sums or sums[name] not in (None, sha256(path, 64))
    )
