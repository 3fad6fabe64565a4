"""Whether a checkpoint is the file that its training wrote: a finished stage records the hashes of its checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from weclick.errors import CheckpointError
from weclick.files import sha256

DONE: Final = "done.json"
"""File in the folder of a stage that is finished: its settings, and the hashes of its checkpoints."""
HASHES: Final = "sha256"
"""Key of the hashes in ``done.json``, by name of the file."""

_DIGITS: Final = 64


def checkpoint_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each checkpoint in a stage's folder, by name."""
    return {path.name: sha256(path, _DIGITS) for path in sorted(folder.glob("*.ckpt")) if not path.name.startswith(".")}


def refuse_changed(path: Path) -> None:
    """Refuse a checkpoint in the folder of a finished stage if it is not the file that the stage wrote.

    Checkpoints elsewhere, and those of earlier versions, have no recorded hash: there is nothing to compare.

    Raises:
        CheckpointError: It was changed or replaced.
    """
    try:
        recorded = json.loads((path.parent / DONE).read_text(encoding="utf-8"))[HASHES][path.name]
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return
    if recorded != sha256(path, _DIGITS):
        raise CheckpointError(
            f"checkpoint {path} is not the file that its training wrote (its SHA-256 is not the one in {path.parent / DONE}); "
            "put that back, or move this one to another folder and name it there"
        )
