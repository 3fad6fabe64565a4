"""What was measured of a memory, as a table and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weclick.callbacks.plots import INK
from weclick.files import write_bytes, write_text
from weclick.pipeline.memory_quality import TEACHER, Figures, Quality, Source

_COLUMNS: Final = {
    "mIoU": "miou",
    "mIoU teacher there": "teacher_miou",
    "mIoU filled": "filled_miou",
    "coverage": "coverage",
    "ECE": "ece",
    "ECE teacher there": "teacher_ece",
    "distance": "distance",
    "frames": "frames",
}

LEGEND: Final = """In percent. mIoU and calibration error (ECE) are measured where the source knows something: coverage is the
share of these pixels, "teacher there" the teacher on the same ones. "mIoU filled" is on all pixels, with the teacher's own
prediction where the source knows nothing: this is the column to compare with the teacher. Distance: mean number of frames
from the target to its neighbours; frames: labelled frames with such a source.
"""


def write_quality(quality: Quality, folder: Path) -> list[Path]:
    """Write ``table.csv``, ``table.md`` and ``plot.png`` into a folder and return their paths."""
    paths = [folder / name for name in ("table.csv", "table.md", "plot.png")]
    write_text(paths[0], table_csv(quality))
    write_text(paths[1], table_markdown(quality))
    picture = io.BytesIO()
    figure_of(quality.figures).savefig(picture, format="png", dpi=144)
    write_bytes(paths[2], picture.getvalue())
    return paths


def table_rows(quality: Quality) -> list[dict[str, str]]:
    """Return the table as text, one row per source, shares in percent."""

    def text(column: str, value: float) -> str:
        scale = 1 if column in ("distance", "frames") else 100
        return str(value) if isinstance(value, int) else "-" if value != value else f"{scale * value:.2f}"

    return [
        {"source": str(source)} | {column: text(column, getattr(found, name)) for column, name in _COLUMNS.items()}
        for source, found in quality.figures.items()
    ]


def table_csv(quality: Quality) -> str:
    """Return the table as CSV."""
    rows, text = table_rows(quality), io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table_markdown(quality: Quality) -> str:
    """Return the table as Markdown whose columns also line up on a terminal, with what its words mean."""
    rows = table_rows(quality)
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in rows[0]}
    rule = {column: "-" * (width - 1) + ("-" if column == "source" else ":") for column, width in widths.items()}
    lines = [{column: column for column in widths}, rule, *rows]
    text = "\n".join(f"| {' | '.join(_padded(line, widths))} |" for line in lines)
    return f"{text}\n\n{LEGEND}\n{quality.facts}\n"


def _padded(line: Mapping[str, str], widths: Mapping[str, int]) -> list[str]:
    return [line[column].ljust(w) if column == "source" else line[column].rjust(w) for column, w in widths.items()]


_COLORS: Final = {"memory": "#2f7fb8", "memory + own": "#d9822b", "memory as set": "#3d9a6c", "neighbour": "#2f7fb8"}


def figure_of(figures: Mapping[Source, Figures]) -> Figure:
    """Draw mIoU and ECE over the number of neighbours, and the mIoU of single neighbours over their offset."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.subplot_mosaic([["miou", "offset"], ["ece", "offset"]])
    _over_neighbours(axes["miou"], figures, "filled_miou", "mIoU %, on all pixels")
    _over_neighbours(axes["ece"], figures, "ece", "ECE %, where known")
    axes["miou"].tick_params(labelbottom=False)
    axes["ece"].set_xlabel("neighbours fused", color=INK)
    _over_offsets(axes["offset"], figures)
    axes["offset"].set_ylabel("mIoU %, where the neighbour is reliable", color=INK)
    axes["offset"].set_xlabel("offset of a single neighbour, in frames", color=INK)
    for each in axes.values():
        each.grid(color=INK, alpha=0.2, linewidth=0.6)
        each.tick_params(colors=INK, labelsize=8, length=0)
        each.spines[:].set_visible(False)
        each.margins(x=0.1, y=0.2)
        each.xaxis.set_major_locator(MaxNLocator(integer=True))
    for name in ("miou", "offset"):  # lines mean the same in both panels on the left
        axes[name].legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def _over_neighbours(axes: Axes, figures: Mapping[Source, Figures], name: str, title: str) -> None:
    for kind in ("memory", "memory + own", "memory as set"):
        points = {s.number: 100 * getattr(found, name) for s, found in figures.items() if s.kind == kind}
        if points:
            axes.plot(list(points), list(points.values()), marker="o", color=_COLORS[kind], label=kind)
    axes.axhline(100 * getattr(figures[TEACHER], name), color=INK, linestyle="--", label="teacher, one frame")
    axes.set_ylabel(title, color=INK)


def _over_offsets(axes: Axes, figures: Mapping[Source, Figures]) -> None:
    found = sorted((s.number, f) for s, f in figures.items() if s.kind == "neighbour")
    most = max((f.frames for _, f in found), default=0)
    # ends of videos have neighbours at offsets of their own: too few frames for a curve
    shown = [(offset, f) for offset, f in found if 4 * f.frames >= most]
    offsets = [offset for offset, _ in shown]
    axes.plot(
        offsets, [100 * f.miou for _, f in shown], marker="o", color=_COLORS["neighbour"], label="neighbour, carried"
    )
    teacher = [100 * f.teacher_miou for _, f in shown]
    axes.plot(offsets, teacher, marker=".", color=INK, linestyle="--", label="teacher, same pixels")
