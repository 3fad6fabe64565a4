"""Tables as text: CSV and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Final

MISSING: Final = "-"

Line = Mapping[str, str]


def percent(value: float) -> str:
    """Return a fraction in percent, a dash for NaN."""
    return MISSING if math.isnan(value) else f"{100 * value:.2f}"


def to_csv(lines: Sequence[Mapping[str, object]]) -> str:
    """Return lines of the same columns as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def to_markdown(lines: Sequence[Line]) -> str:
    """Return lines of the same columns as a Markdown table whose columns also line up on a terminal.

    The first column is text, left-aligned; all others are numbers.
    """
    # a vertical bar in a class's name would begin a new cell
    rows = [[cell.replace("|", r"\|") for cell in row] for row in ([*lines[0]], *(line.values() for line in lines))]
    # Markdown takes the second line for the header's only with three dashes or more
    first, *others = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * first, *("-" * (width - 1) + ":" for width in others)])
    return "".join(f"| {' | '.join(_padded(row, first, others))} |\n" for row in rows)


def _padded(row: Sequence[str], first: int, others: Sequence[int]) -> list[str]:
    return [row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))]
