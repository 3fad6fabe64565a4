"""``weclick.load``: a trained network by the name of its run, or by its file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from weclick.inference.exported import SUFFIXES
from weclick.inference.model import Model
from weclick.inference.opening import open_model
from weclick.inference.published import is_published
from weclick.pipeline.options import RUNS

if TYPE_CHECKING:
    import torch


def load(
    source: str | PathLike[str],
    *,
    device: torch.device | str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    runs: str | PathLike[str] = RUNS,
) -> Model:
    """Open a trained network for use; see :meth:`~weclick.inference.model.Model.predict`.

    Args:
        source: A run, by name or folder, whose student to use; or a checkpoint, an exported model (``.onnx``, ``.xml``), or a
            folder that ``weclick package`` wrote.
        device: Where to run; by default the first GPU if there is one. The runtime of an exported model decides itself.
        precision: Number format; ``auto`` is bf16 on a GPU that computes in it, else fp32. An exported model has its own.
        runs: Folder of all runs.

    Raises:
        RunError: There is no such run.
        CheckpointError: The file is missing, damaged, not made by weclick or by another version.
        ConfigError: The package that runs an exported model is not installed.

    Example:
        Segment a picture::

            model = weclick.load("runs/first")
            result = model.predict(frame)  # RGB, uint8 (H, W, 3)
            result.labels, result.probabilities, result.overlay()
    """
    path = Path(source)
    if not path.is_file() and not is_published(path) and path.suffix not in (".ckpt", *SUFFIXES):
        from weclick.pipeline.run import Run  # imports what only training needs

        path = Run.open(str(source), Path(runs)).checkpoint("student", "last")
    return open_model(path, device=device, precision=precision)
