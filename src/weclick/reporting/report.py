"""Results of an evaluation: report.html, tables as files, a table on the terminal."""

from __future__ import annotations

import base64
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
from weclick.metrics import Evaluation
from weclick.reporting.plots import plot_confusion, plot_curves
from weclick.reporting.samples import Sample, classes_in
from weclick.reporting.scores import (
    accuracy_interval,
    class_rows,
    columns_of,
    compared,
    csv_rows,
    grouped,
    measured,
    percent,
    span,
    summary,
)
from weclick.reporting.tables import to_csv

_JPEG_QUALITY = 88


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
    environment.filters.update(percent=percent, count=grouped, span=span)
    source = resources.files("weclick.reporting").joinpath("report.html.j2").read_text(encoding="utf-8")
    html = environment.from_string(source).render(
        report=report,
        evaluation=report.evaluation,
        provenance=report.provenance,
        rows=class_rows(report.evaluation, report.classes),
        clicked=report.evaluation.measured_with == "clicks",
        measured=measured(report.evaluation, report.provenance.frames),
        interval=accuracy_interval(report.evaluation),
        samples=[_sample(sample, report.classes) for sample in report.samples],
        legend=[report.classes[index] for index in classes_in(report.samples)],
        compared=report.evaluation.pairs and compared(report.evaluation.pairs),
        confusion=_svg(plot_confusion(report.evaluation.scores.confusion, report.classes, "svg")),
        curves=_svg(plot_curves(report.metrics, "svg")) if report.metrics else None,
    )
    path = folder / "report.html"
    write_text(path, html)
    return path


def write_tables(folder: Path, report: Report) -> None:
    """Write ``metrics.json`` (NaN as null), ``per_class.csv`` and ``confusion.csv`` (rows = truth) into ``folder``."""
    write_json(folder / "metrics.json", _metrics(report))
    write_text(folder / "per_class.csv", to_csv(csv_rows(report.evaluation, report.classes)))
    names, counts = report.classes.names, report.evaluation.scores.confusion.tolist()
    confusion = [
        {"true \\ predicted": name, **dict(zip(names, line, strict=True))}
        for name, line in zip(names, counts, strict=True)
    ]
    write_text(folder / "confusion.csv", to_csv(confusion))


def print_table(evaluation: Evaluation, classes: ClassSet) -> None:
    """Print the per-class table and the means to stdout, with ASCII lines: any encoding can print them."""
    _check_classes(evaluation, classes)
    console = Console(highlight=False)
    table = Table(box=box.ASCII, show_footer=True)
    rows = class_rows(evaluation, classes)
    columns = columns_of(evaluation, rows)
    table.add_column("class", footer="mean", overflow="fold")
    for name, (footer, _) in columns.items():
        table.add_column(name, footer=footer, justify="right")
    for index, row in enumerate(rows):
        # Text, as rich would take "[red]" in a str for markup
        table.add_row(Text(_printable(row.name, console.encoding)), *(cells[index] for _, cells in columns.values()))
    console.print(table)
    console.print(summary(evaluation), markup=False)


def _metrics(report: Report) -> dict[str, Any]:
    scores, temporal, names = report.evaluation.scores, report.evaluation.temporal, report.classes.names
    return {
        "measured_with": report.evaluation.measured_with,
        "miou": scores.miou,
        "accuracy": scores.accuracy,
        "mean_class_accuracy": scores.mean_class_accuracy,
        "iou": dict(zip(names, scores.iou, strict=True)),
        "class_accuracy": dict(zip(names, scores.class_accuracy, strict=True)),
        "clicks": _clicks(report) if report.evaluation.measured_with == "clicks" else None,
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


def _clicks(report: Report) -> dict[str, Any]:
    """Return number and intervals of the clicks that were measured with."""
    rows = class_rows(report.evaluation, report.classes)
    return {
        "count": sum(row.pixels for row in rows),
        "interval": accuracy_interval(report.evaluation),
        "per_class": {row.name: {"count": row.pixels, "interval": row.interval} for row in rows},
        "note": measured(report.evaluation, report.provenance.frames),
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


def _printable(text: str, encoding: str) -> str:
    """Return the text as this terminal can show it, without control characters: names come from files of strangers."""
    visible = "".join(letter if letter.isprintable() else "?" for letter in text)
    return visible.encode(encoding, "replace").decode(encoding)
