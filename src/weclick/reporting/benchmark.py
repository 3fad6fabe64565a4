"""The table of a benchmark: on the terminal, as CSV, as JSON and as a plot."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import torch
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from weclick.files import write_bytes, write_json, write_text
from weclick.inference.speed import device_name
from weclick.reporting.plots import plot_rates
from weclick.reporting.tables import to_csv

_WIDE: Final = 200

Cell = object
"""Text, a number, or None where nothing was measured."""


@dataclass(frozen=True)
class BenchmarkTable:
    """Rows of one benchmark, and where and how they were measured.

    Args:
        name: Stem of the files.
        device: Where it ran.
        facts: What holds for all rows: size, rounds, data.
        rows: One per thing measured, all with the same columns; None is "not measured".
        label: Columns whose values name a row in the plot.
        rate: Column that the plot shows.
    """

    name: str
    device: torch.device
    facts: Mapping[str, Cell]
    rows: Sequence[Mapping[str, Cell]]
    label: tuple[str, ...]
    rate: str

    def write(self, folder: Path) -> list[Path]:
        """Write ``name.csv``, ``name.json`` and ``name.png`` into a folder and return their paths."""
        paths = [folder / f"{self.name}.{suffix}" for suffix in ("csv", "json", "png")]
        write_text(paths[0], to_csv(self.rows))
        write_json(paths[1], {"facts": self._all_facts(), "rows": [dict(row) for row in self.rows]})
        shown = {" ".join(str(row[c]) for c in self.label): row[self.rate] for row in self.rows}
        # rows that were not measured have no bar
        rates = {name: float(rate) for name, rate in shown.items() if isinstance(rate, int | float)}
        write_bytes(paths[2], plot_rates(rates, self.rate))
        return paths

    def print(self) -> None:
        """Print the table and its facts."""
        console = Console(soft_wrap=True, width=_WIDE)  # rows wrap on a narrow terminal; rich would cut their cells
        table = RichTable(box=box.SIMPLE_HEAD)
        for column in self.rows[0]:
            table.add_column(column, justify="left" if column in self.label else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*(escape(_text(value)) for value in row.values()))
        console.print(table)
        facts = "; ".join(f"{key}: {escape(str(value))}" for key, value in self._all_facts().items())
        console.print(facts, highlight=False)

    def _all_facts(self) -> dict[str, Cell]:
        """Return what the figures depend on besides the code: device with threads, versions, and the table's own facts."""
        machine = {"device": device_name(self.device), "torch": version("torch"), "python": platform.python_version()}
        return {**machine, **self.facts}


def _text(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
