"""Quality of a memory, as a table and a plot; :mod:`weclick.pipeline.memory_quality` measures it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weclick.files import write_bytes, write_text
from weclick.reporting.plots import COLORS, INK, encode, plain
from weclick.reporting.tables import MISSING, Line, percent, to_csv, to_markdown

Kind = Literal["teacher", "neighbour", "memory", "memory + own", "memory as set", "stored teacher", "stored memory"]


class Source(NamedTuple):
    """A source of predictions for a target; ``number`` is a neighbour's offset, or how many neighbours a memory fuses."""

    kind: Kind
    number: int = 0

    def __str__(self) -> str:
        if self.kind in ("teacher", "stored teacher", "stored memory"):
            return self.kind
        if self.kind == "neighbour":
            return f"neighbour at {self.number:+d}"
        return f"{self.kind}, {self.number} neighbour{'s' if self.number > 1 else ''}"


TEACHER: Final = Source("teacher")


@dataclass(frozen=True)
class Figures:
    """What was measured of a source; fractions in 0..1, NaN where the source predicts nothing.

    "There" means: on the labelled pixels for which the source has a prediction.

    Args:
        miou: There.
        teacher_miou: Of the teacher, there.
        filled_miou: On all labelled pixels, with the teacher's own prediction where the source has none.
        coverage: Share of the labelled pixels that are there.
        ece: Expected calibration error, there.
        teacher_ece: Of the teacher, there.
        distance: Mean number of frames from the target to the neighbours in use; NaN for the teacher.
        frames: Number of targets with such a source.
    """

    miou: float
    teacher_miou: float
    filled_miou: float
    coverage: float
    ece: float
    teacher_ece: float
    distance: float
    frames: int


@dataclass(frozen=True)
class Quality:
    """Figures by source, in the order of the table, and how they were measured.

    Args:
        figures: By source.
        facts: One line with all settings.
        setting: Split, neighbours and sides: the beginning of the name.
    """

    figures: Mapping[Source, Figures]
    facts: str
    setting: str

    @property
    def name(self) -> str:
        """A name for a folder; measurements with other settings have other names."""
        return f"{self.setting}-{hashlib.sha256(os.fsencode(self.facts)).hexdigest()[:6]}"


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

LEGEND: Final = """In percent. mIoU and calibration error (ECE) are measured where the source has a prediction: coverage is the
share of these pixels, "teacher there" the teacher on the same ones. "mIoU filled" is on all pixels, with the teacher's own
prediction where the source has none: compare this column with the teacher. Distance: mean number of frames from the target to
its neighbours; frames: labelled frames with such a source. Stored teacher and memory: what a student learns from, after what
the settings do with the clicks.
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
        {"source": str(source)} | {column: _cell(column, getattr(figures, name)) for column, name in _COLUMNS.items()}
        for source, figures in quality.figures.items()
    ]


def _cell(column: str, value: float) -> str:
    if column == "frames":
        return str(value)
    if column == "distance":
        return MISSING if math.isnan(value) else f"{value:.2f}"
    return percent(value)


def table_markdown(quality: Quality) -> str:
    """Return the table as Markdown, with an explanation of its columns."""
    return f"{to_markdown(table_lines(quality))}\n{LEGEND}\n{quality.facts}\n"


_COLORS: Final = dict(zip(("memory", "memory + own", "memory as set"), COLORS, strict=False))


def figure_of(figures: Mapping[Source, Figures]) -> Figure:
    """Draw mIoU and ECE over the number of neighbours, and the mIoU of single neighbours over their offset."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.subplot_mosaic([["miou", "offset"], ["ece", "offset"]])
    _over_neighbours(axes["miou"], figures, "filled_miou", "mIoU %, on all pixels")
    _over_neighbours(axes["ece"], figures, "ece", "ECE %, where predicted")
    axes["miou"].tick_params(labelbottom=False)
    axes["ece"].set_xlabel("neighbours fused", color=INK)
    _over_offsets(axes["offset"], figures)
    axes["offset"].set_ylabel("mIoU %, where the neighbour is reliable", color=INK)
    axes["offset"].set_xlabel("offset of a single neighbour, in frames", color=INK)
    for each in axes.values():
        plain(each)
        each.margins(x=0.1, y=0.2)
        each.xaxis.set_major_locator(MaxNLocator(integer=True))
    for name in ("miou", "offset"):  # the two panels on the left share their lines, so one legend is enough for both
        axes[name].legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def _over_neighbours(axes: Axes, figures: Mapping[Source, Figures], name: str, title: str) -> None:
    for kind, color in _COLORS.items():
        points = {s.number: 100 * getattr(own, name) for s, own in figures.items() if s.kind == kind}
        if points:
            axes.plot(list(points), list(points.values()), marker="o", color=color, label=kind)
    axes.axhline(100 * getattr(figures[TEACHER], name), color=INK, linestyle="--", label="teacher, one frame")
    axes.set_ylabel(title, color=INK)


def _over_offsets(axes: Axes, figures: Mapping[Source, Figures]) -> None:
    points = sorted((source.number, own) for source, own in figures.items() if source.kind == "neighbour")
    most = max((own.frames for _, own in points), default=0)
    # frames near the ends of a video have neighbours at offsets of their own: too few frames for a curve
    shown = [(offset, own) for offset, own in points if 4 * own.frames >= most]
    offsets = [offset for offset, _ in shown]
    axes.plot(offsets, [100 * own.miou for _, own in shown], marker="o", color=COLORS[0], label="neighbour, carried")
    teacher = [100 * own.teacher_miou for _, own in shown]
    axes.plot(offsets, teacher, marker=".", color=INK, linestyle="--", label="teacher, same pixels")
