"""What was measured of a memory, as a table and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weclick.files import write_bytes, write_text
from weclick.pipeline.memory_quality import TEACHER, Figures, Quality, Source
from weclick.reporting.plots import COLORS, INK, encode, plain
from weclick.reporting.tables import MISSING, Line, percent, to_csv, to_markdown

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
    write_text(paths[0], to_csv(table_lines(quality)))
    write_text(paths[1], table_markdown(quality))
    write_bytes(paths[2], encode(figure_of(quality.figures), "png"))
    return paths


def table_lines(quality: Quality) -> list[Line]:
    """Return the table as text, one line per source, shares in percent."""
    return [
        {"source": str(source)} | {column: _text(column, getattr(found, name)) for column, name in _COLUMNS.items()}
        for source, found in quality.figures.items()
    ]


def _text(column: str, value: float) -> str:
    if column == "frames":
        return str(value)
    if column == "distance":
        return MISSING if math.isnan(value) else f"{value:.2f}"
    return percent(value)


def table_markdown(quality: Quality) -> str:
    """Return the table as Markdown, with what its words mean."""
    return f"{to_markdown(table_lines(quality))}\n{LEGEND}\n{quality.facts}\n"


_COLORS: Final = dict(zip(("memory", "memory + own", "memory as set"), COLORS, strict=False))


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
        plain(each)
        each.margins(x=0.1, y=0.2)
        each.xaxis.set_major_locator(MaxNLocator(integer=True))
    for name in ("miou", "offset"):  # lines mean the same in both panels on the left
        axes[name].legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def _over_neighbours(axes: Axes, figures: Mapping[Source, Figures], name: str, title: str) -> None:
    for kind, color in _COLORS.items():
        points = {s.number: 100 * getattr(found, name) for s, found in figures.items() if s.kind == kind}
        if points:
            axes.plot(list(points), list(points.values()), marker="o", color=color, label=kind)
    axes.axhline(100 * getattr(figures[TEACHER], name), color=INK, linestyle="--", label="teacher, one frame")
    axes.set_ylabel(title, color=INK)


def _over_offsets(axes: Axes, figures: Mapping[Source, Figures]) -> None:
    found = sorted((s.number, f) for s, f in figures.items() if s.kind == "neighbour")
    most = max((f.frames for _, f in found), default=0)
    # ends of videos have neighbours at offsets of their own: too few frames for a curve
    shown = [(offset, f) for offset, f in found if 4 * f.frames >= most]
    offsets = [offset for offset, _ in shown]
    axes.plot(offsets, [100 * f.miou for _, f in shown], marker="o", color=COLORS[0], label="neighbour, carried")
    teacher = [100 * f.teacher_miou for _, f in shown]
    axes.plot(offsets, teacher, marker=".", color=INK, linestyle="--", label="teacher, same pixels")
