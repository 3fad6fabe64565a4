"""Comparisons: arms of the method, or arms at several click budgets, trained under the same conditions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weclick.files import write_bytes
from weclick.pipeline.ablation.rows import Row, train_rows
from weclick.reporting.comparison.curves import points, write_curves
from weclick.reporting.comparison.outcome import Outcome
from weclick.reporting.comparison.plot import plot_arms, plot_budget
from weclick.reporting.comparison.table import write_tables

__all__ = ["Row", "ablate", "budget"]


def ablate(rows: Sequence[Row], folder: Path) -> list[Outcome]:
    """Train the rows into ``folder`` and write ``table`` and ``per_class`` (csv, md) and ``plot.png`` there."""

    def write(outcomes: Sequence[Outcome]) -> None:
        write_tables(outcomes, folder)
        write_bytes(folder / "plot.png", plot_arms(outcomes))

    return train_rows(rows, folder, write)


def budget(rows: Sequence[Row], folder: Path) -> list[Outcome]:
    """Train the rows into ``folder`` and write ``curves`` there as csv, md and png."""

    def write(outcomes: Sequence[Outcome]) -> None:
        write_curves(outcomes, folder)
        write_bytes(folder / "curves.png", plot_budget(points(outcomes)))

    return train_rows(rows, folder, write)
