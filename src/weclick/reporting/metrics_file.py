"""The local record of a training's metrics, a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from weclick.files import write_text
from weclick.reporting.stages import read_metrics


class MetricsFile(Logger):
    """Writes ``metrics.csv`` into ``folder``, and keeps the rows of a run that is resumed.

    The file is replaced with every row: Lightning's own CSV logger deletes an existing one, then writes in place, so that a
    killed process loses all rows.
    """

    name = version = ""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "metrics.csv"
        self._rows = read_metrics(self.file)

    @property
    def save_dir(self) -> str:
        """The folder itself."""
        return str(self.file.parent)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Add a row."""
        row = {name: float(value) for name, value in metrics.items()}
        self._rows.append({**row, "step": float(len(self._rows) if step is None else step)})
        self._write()

    @rank_zero_only
    def rewind(self, step: int) -> None:
        """Remove the rows from a step on: those that were written after a checkpoint with as many steps."""
        kept = [row for row in self._rows if row["step"] < step]
        if len(kept) < len(self._rows):
            self._rows = kept
            self._write()

    def _write(self) -> None:
        # whole because its columns change: the first validation adds some
        text = io.StringIO()
        writer = csv.DictWriter(text, sorted(set().union(*self._rows)), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: repr(value).removesuffix(".0") for name, value in row.items()} for row in self._rows)
        write_text(self.file, text.getvalue())

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Do nothing: the run's ``config.yaml`` and the checkpoints hold them."""
