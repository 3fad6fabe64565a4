"""Results of an evaluation: report.html, tables as files, a table on the terminal."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from weclick.classes import ClassSet
from weclick.errors import ShapeError
from weclick.files import write_json, write_text
from weclick.metrics import ComparedPairs, Evaluation
from weclick.metrics.interval import Interval, share_interval
from weclick.reporting.plots import plot_confusion, plot_curves
from weclick.reporting.samples import Sample, classes_in
from weclick.reporting.tables import to_csv

_JPEG_QUALITY = 88
_MISSING = "n/a"


@dataclass(frozen=True)
class Provenance:
    """What exactly was evaluated; None where it is unknown, as for an exported model.

    Args:
        run: Name of the run.
        stage: "teacher" or "student".
        arm: Arm of the method.
        split: Split that was evaluated.
        frames: Number of labelled frames in it; of frames with held-out clicks, where these are the labels.
        checkpoint: File that was evaluated.
        reason: Why this file was chosen, such as "best val/miou (epoch 12)".
        seed: Seed of the training.
        clicks: Number of clicks it was trained from.
        parameters: Number of parameters of the network.
        date: Date and time of the evaluation, as text.
        versions: Package name to version.
    """

    run: str
    stage: str
    arm: str | None
    split: str
    frames: int
    checkpoint: str
    reason: str
    seed: int | None
    clicks: int | None
    parameters: int | None
    date: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """Everything a report shows.

    Args:
        evaluation: The numbers.
        provenance: What was evaluated.
        classes: Names and colours.
        config: YAML text of the settings evaluated with.
        samples: Frames to show, in this order.
        metrics: Rows of the stage's ``metrics.csv``, without empty cells, for the training curves.

    Raises:
        ShapeError: The evaluation counts other classes than ``classes`` lists.
    """

    evaluation: Evaluation
    provenance: Provenance
    classes: ClassSet
    config: str
    samples: Sequence[Sample] = ()
    metrics: Sequence[Mapping[str, float]] = ()

    def __post_init__(self) -> None:
        _check_classes(self.evaluation, self.classes)


def _check_classes(evaluation: Evaluation, classes: ClassSet) -> None:
    counted = len(evaluation.scores.iou)
    if counted != len(classes):
        raise ShapeError(
            f"the evaluation counts {counted} classes, the data set has {len(classes)}; was the model trained on another?"
        )


def write_report(folder: Path, report: Report) -> Path:
    """Write ``report.html`` into ``folder`` and return its path; it has no scripts and loads no other file."""
    # names come from data sets of strangers: they are escaped, and a missing value is an error, not an empty text
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=_percent, count=_count, span=_span)
    source = resources.files("weclick.reporting").joinpath("report.html.j2").read_text(encoding="utf-8")
    html = environment.from_string(source).render(
        report=report,
        evaluation=report.evaluation,
        provenance=report.provenance,
        rows=_rows(report.evaluation, report.classes),
        clicked=report.evaluation.measured_with == "clicks",
        measured=_measured(report.evaluation, report.provenance.frames),
        interval=_accuracy_interval(report.evaluation),
        samples=[_sample(sample, report.classes) for sample in report.samples],
        legend=[report.classes[index] for index in classes_in(report.samples)],
        compared=report.evaluation.pairs and _compared(report.evaluation.pairs),
        confusion=_svg(plot_confusion(report.evaluation.scores.confusion, report.classes, "svg")),
        curves=_svg(plot_curves(report.metrics, "svg")) if report.metrics else None,
    )
    path = folder / "report.html"
    write_text(path, html)
    return path


def write_tables(folder: Path, report: Report) -> None:
    """Write ``metrics.json`` (NaN as null), ``per_class.csv`` and ``confusion.csv`` (rows = truth) into ``folder``."""
    write_json(folder / "metrics.json", _metrics(report))
    clicked = report.evaluation.measured_with == "clicks"
    per_class = [
        (_clicked_cells if clicked else _masked_cells)(row) for row in _rows(report.evaluation, report.classes)
    ]
    write_text(folder / "per_class.csv", to_csv(per_class))
    names, counts = report.classes.names, report.evaluation.scores.confusion.tolist()
    confusion = [
        {"true \\ predicted": name, **dict(zip(names, line, strict=True))}
        for name, line in zip(names, counts, strict=True)
    ]
    write_text(folder / "confusion.csv", to_csv(confusion))


def _masked_cells(row: _Row) -> dict[str, str | int]:
    accuracy = _cell(row.accuracy)
    return {"id": row.id, "class": row.name, "iou": _cell(row.iou), "accuracy": accuracy, "pixels": row.pixels}


def _clicked_cells(row: _Row) -> dict[str, str | int]:
    low, high = map(_cell, row.interval)
    accuracy = _cell(row.accuracy)
    return {"id": row.id, "class": row.name, "accuracy": accuracy, "low": low, "high": high, "clicks": row.pixels}


def print_table(evaluation: Evaluation, classes: ClassSet) -> None:
    """Print the per-class table and the means to stdout, with ASCII lines: any encoding can print them."""
    _check_classes(evaluation, classes)
    console = Console(highlight=False)
    table = Table(box=box.ASCII, show_footer=True)
    rows = _rows(evaluation, classes)
    columns = (
        _clicked_columns(evaluation, rows)
        if evaluation.measured_with == "clicks"
        else _masked_columns(evaluation, rows)
    )
    table.add_column("class", footer="mean", overflow="fold")
    for name, (footer, _) in columns.items():
        table.add_column(name, footer=footer, justify="right")
    for index, row in enumerate(rows):
        # Text, as rich would take "[red]" in a str for markup
        table.add_row(Text(_printable(row.name, console.encoding)), *(cells[index] for _, cells in columns.values()))
    console.print(table)
    console.print(_summary(evaluation), markup=False)


_Columns = dict[str, tuple[str, list[str]]]
"""Columns by title: the footer, and a cell for each class."""


def _masked_columns(evaluation: Evaluation, rows: Sequence[_Row]) -> _Columns:
    scores = evaluation.scores
    return {
        "IoU %": (_percent(scores.miou), [_percent(row.iou) for row in rows]),
        "accuracy %": (_percent(scores.mean_class_accuracy), [_percent(row.accuracy) for row in rows]),
        "pixels %": (_percent(1.0 if scores.confusion.sum() else math.nan), [_percent(row.share) for row in rows]),
    }


def _clicked_columns(evaluation: Evaluation, rows: Sequence[_Row]) -> _Columns:
    scores = evaluation.scores
    return {
        "correct %": (_percent(scores.mean_class_accuracy), [_percent(row.accuracy) for row in rows]),
        "95 % interval": ("", [_span(row.interval) for row in rows]),
        "clicks": ("", [str(row.pixels) for row in rows]),
    }


def _accuracy_interval(evaluation: Evaluation) -> Interval:
    confusion = evaluation.scores.confusion
    return share_interval(int(confusion.trace()), int(confusion.sum()))


def _measured(evaluation: Evaluation, frames: int | None = None) -> str:
    """Return what the scores were measured with, and of clicks what they leave open."""
    if evaluation.measured_with == "masks":
        return "measured with masks" + (f" of {_count(frames)} frames" if frames is not None else "")
    counts = f"{_count(int(evaluation.scores.confusion.sum()))} held-out clicks"
    place = f" on {_count(frames)} frames" if frames is not None else ""
    return f"measured with {counts}{place}; says nothing about borders, nor about classes without clicks"


def _summary(evaluation: Evaluation) -> str:
    scores = evaluation.scores
    if evaluation.measured_with == "clicks":
        share = f"{_percent(scores.accuracy)} % (95 % interval {_span(_accuracy_interval(evaluation))} %)"
        parts = [f"click accuracy {share}", _measured(evaluation)]
    else:
        parts = [f"mIoU {_percent(scores.miou)} %", f"pixel accuracy {_percent(scores.accuracy)} %"]
    if evaluation.temporal:
        both = f"{_percent(evaluation.temporal.masked)} % (unmasked {_percent(evaluation.temporal.unmasked)} %)"
        parts.append(f"temporal consistency {both}")
        parts += [f"  {_compared(evaluation.pairs)}"] if evaluation.pairs else []
    parts += [f"VC{n} {_percent(value)} %" for n, value in sorted(evaluation.video_consistency.items())]
    if speed := evaluation.speed:
        size = f"{speed.size[1]}x{speed.size[0]}"
        parts.append(f"{speed.fps:.1f} FPS ({speed.ms:.1f} ms, {size}, {speed.precision}, {speed.device})")
    return "\n".join(parts)


def _compared(pairs: ComparedPairs) -> str:
    height, width = pairs.flow_size
    share = f"{pairs.compared:,} of {pairs.available:,} pairs of successive frames"
    return f"over {share}, {pairs.flow} flow at {width}x{height}"


@dataclass(frozen=True)
class _Row:
    id: int
    name: str
    color: tuple[int, int, int]
    iou: float
    accuracy: float
    pixels: int
    share: float
    interval: Interval


def _rows(evaluation: Evaluation, classes: ClassSet) -> list[_Row]:
    scores = evaluation.scores
    pixels = scores.confusion.sum(1)
    total = int(pixels.sum())
    return [
        _Row(
            id=index,
            name=entry.name,
            color=entry.color,
            iou=scores.iou[index],
            accuracy=scores.class_accuracy[index],
            pixels=int(pixels[index]),
            share=int(pixels[index]) / total if total else math.nan,
            interval=share_interval(int(scores.confusion[index, index]), int(pixels[index])),
        )
        for index, entry in enumerate(classes)
    ]


def _metrics(report: Report) -> dict[str, Any]:
    scores, temporal, names = report.evaluation.scores, report.evaluation.temporal, report.classes.names
    rows = _rows(report.evaluation, report.classes)
    clicked = report.evaluation.measured_with == "clicks"
    return {
        "measured_with": report.evaluation.measured_with,
        "miou": scores.miou,
        "accuracy": scores.accuracy,
        "mean_class_accuracy": scores.mean_class_accuracy,
        "iou": dict(zip(names, scores.iou, strict=True)),
        "class_accuracy": {row.name: row.accuracy for row in rows},
        "clicks": {
            "measured": _measured(report.evaluation, report.provenance.frames),
            "total": int(scores.confusion.sum()),
            "interval": _accuracy_interval(report.evaluation),
            "per_class": {row.name: {"clicks": row.pixels, "interval": row.interval} for row in rows},
        }
        if clicked
        else None,
        "temporal_consistency": temporal
        and {
            "masked": temporal.masked,
            "unmasked": temporal.unmasked,
            "coverage": temporal.coverage,
            "pairs": report.evaluation.pairs and asdict(report.evaluation.pairs),
            "masked_iou": dict(zip(names, temporal.masked_iou, strict=True)),
            "unmasked_iou": dict(zip(names, temporal.unmasked_iou, strict=True)),
        },
        "video_consistency": {str(n): value for n, value in report.evaluation.video_consistency.items()},
        "speed": report.evaluation.speed and asdict(report.evaluation.speed),
        "evaluated": {**asdict(report.provenance), "versions": dict(report.provenance.versions)},
    }


def _sample(sample: Sample, classes: ClassSet) -> dict[str, Any]:
    pictures = [(title, _jpeg(shown)) for title, shown in sample.panels(classes).items()]
    return {"name": sample.name, "miou": sample.miou, "pictures": pictures}


def _jpeg(picture: np.ndarray) -> str:
    # JPEG: PNG of photographs would make the file several times as large
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def _svg(data: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def _percent(value: float) -> str:
    return _MISSING if math.isnan(value) else f"{100 * value:.1f}"


def _span(interval: Interval) -> str:
    return f"{_percent(interval[0])} to {_percent(interval[1])}" if not math.isnan(interval[0]) else _MISSING


def _count(value: int | None) -> str:
    """Return a whole number with its digits in groups, millions as "4.68 M"."""
    if value is None:
        return _MISSING
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value:,}"


def _printable(text: str, encoding: str) -> str:
    """Return the text as this terminal can show it, without control characters: names come from files of strangers."""
    visible = "".join(letter if letter.isprintable() else "?" for letter in text)
    return visible.encode(encoding, "replace").decode(encoding)
