"""What is refused of any trained network, checkpoint or exported model, before it is used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from weclick.classes import ClassSet
from weclick.errors import CheckpointError

Stage = Literal["teacher", "student"]


def refuse_url(path: Path | str) -> None:
    """Refuse to fetch anything.

    Raises:
        CheckpointError: The path is a URL.
    """
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(path)):
        raise CheckpointError(f"{path} is a URL; fetch the file and name it instead")


def check_stage(path: Path | str, stage: str, needed: str | None) -> None:
    """Refuse a network of another stage than the needed one; None allows both.

    Raises:
        CheckpointError: The stages differ.
    """
    if needed is not None and stage != needed:
        raise CheckpointError(f"{path} is a {stage} checkpoint; a {needed} checkpoint is needed here")


def check_classes(path: Path | str, classes: ClassSet, needed: ClassSet | None) -> None:
    """Refuse a network trained for other classes than the needed ones; None allows any.

    Raises:
        CheckpointError: Names or order differ.
    """
    if needed is not None and classes.names != needed.names:
        raise CheckpointError(
            f"{path} was trained for {len(classes)} classes ({', '.join(classes.names)}), the data set "
            f"has {len(needed)} ({', '.join(needed.names)}); choose the checkpoint's data set"
        )
