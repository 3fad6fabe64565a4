"""How far the stages of a run are, from the files in its folder.

Imports no torch: the server of the page reads them too.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from weclick.errors import RunError, one_line
from weclick.inference.recorded import DONE

BEGUN: Final = "begun.json"
"""File in the folder of a training that has begun, with its settings."""

STAGES: Final = ("teacher", "memory", "student")


@dataclass(frozen=True)
class StageProgress:
    """How far a stage is.

    Args:
        name: Its folder.
        finished: Whether it is done.
        epochs: Epochs of a training; 0 for the memory.
        losses: Mean training loss of each epoch so far.
        mious: mIoU on val of the epochs with a validation.
        updated: Time of the last epoch's end, and the time when the stage was begun, in seconds since 1970.
    """

    name: str
    finished: bool
    epochs: int = 0
    losses: tuple[float, ...] = ()
    mious: tuple[float, ...] = ()
    begun: float = 0.0
    updated: float = 0.0


def stages_of(run: Path) -> list[StageProgress]:
    """Return how far the stages are that a run has begun."""
    return [_stage(run / name) for name in STAGES if (run / name).is_dir()]


def _stage(folder: Path) -> StageProgress:
    finished, begun, metrics = (folder / DONE).exists(), folder / BEGUN, folder / "metrics.csv"
    if not begun.exists():
        return StageProgress(folder.name, finished)
    rows, epochs = read_metrics(metrics), _epochs(begun)
    return StageProgress(
        folder.name,
        finished,
        epochs=epochs,
        losses=tuple(row["train/loss"] for row in rows if "train/loss" in row),
        mious=tuple(row["val/miou"] for row in rows if "val/miou" in row),
        begun=begun.stat().st_mtime,
        updated=metrics.stat().st_mtime if rows else 0.0,
    )


def _epochs(begun: Path) -> int:
    try:
        return int(json.loads(begun.read_text(encoding="utf-8"))["epochs"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError(
            f"{begun} is damaged ({one_line(error)}); restore it, or delete {begun.parent} to train it again"
        ) from None


def read_metrics(file: Path) -> list[dict[str, float]]:
    """Return the rows of a ``metrics.csv``, without empty cells; no rows where there is no file.

    Raises:
        RunError: It is damaged.
    """
    if not file.exists():
        return []
    try:
        if not file.stat().st_size:
            raise ValueError("it is empty")
        with file.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            rows = [{name: float(cell) for name, cell in row.items() if cell} for row in reader]
    except (ValueError, TypeError, csv.Error) as error:  # no number, or more cells than there are columns
        raise RunError(
            f"{file} is damaged ({one_line(error)}); restore it, or remove it to go on without its rows"
        ) from None
    if (reader.fieldnames and "step" not in reader.fieldnames) or not all("step" in row for row in rows):
        raise RunError(f"{file} is damaged (a row has no step); restore it, or remove it to go on without its rows")
    return rows
