"""Writing checkpoints atomically."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from weclick.files import atomic_path


class WholeCheckpointIO(TorchCheckpointIO):
    """Saves through a temporary file beside the checkpoint.

    Lightning writes to the system's temporary folder, often on another disk, and then copies: a kill in between
    leaves half a checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Path | str, storage_options: Any = None) -> None:  # noqa: ANN401
        """Write ``checkpoint`` to ``path``."""
        # into a stream of Python's, as torch's own does not tell why it cannot be written
        with atomic_path(Path(path)) as temporary, temporary.open("wb") as stream:
            torch.save(checkpoint, stream)
