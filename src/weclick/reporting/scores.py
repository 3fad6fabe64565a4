"""Scores of an evaluation as rows and columns of tables, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from weclick.classes import ClassSet
from weclick.metrics import ComparedPairs, Evaluation
from weclick.metrics.interval import Interval, share_interval

_MISSING = "n/a"


@dataclass(frozen=True)
class ClassRow:
    """Scores of one class.

    Args:
        id: Class id.
        name: Of the class.
        color: Of the class, RGB.
        iou: NaN where it is not measured.
        accuracy: Share of the class's pixels, or clicks, that are predicted as it.
        pixels: Their number.
        share: Of all labelled pixels.
        interval: 95 % confidence interval of ``accuracy``, if these are independent, as clicks nearly are and pixels are not.
    """

    id: int
    name: str
    color: tuple[int, int, int]
    iou: float
    accuracy: float
    pixels: int
    share: float
    interval: Interval


def class_rows(evaluation: Evaluation, classes: ClassSet) -> list[ClassRow]:
    """Return the scores of each class."""
    scores = evaluation.scores
    pixels = scores.confusion.sum(1)
    total = int(pixels.sum())
    return [
        ClassRow(
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


def csv_rows(evaluation: Evaluation, classes: ClassSet) -> list[dict[str, str | int]]:
    """Return the rows of ``per_class.csv``."""
    clicked = evaluation.measured_with == "clicks"
    return [(_clicked_cells if clicked else _masked_cells)(row) for row in class_rows(evaluation, classes)]


def _masked_cells(row: ClassRow) -> dict[str, str | int]:
    accuracy = _cell(row.accuracy)
    return {"id": row.id, "class": row.name, "iou": _cell(row.iou), "accuracy": accuracy, "pixels": row.pixels}


def _clicked_cells(row: ClassRow) -> dict[str, str | int]:
    accuracy, low, high = map(_cell, (row.accuracy, *row.interval))
    return {"id": row.id, "class": row.name, "accuracy": accuracy, "low": low, "high": high, "clicks": row.pixels}


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


Columns = dict[str, tuple[str, list[str]]]
"""Columns by title: the footer, and a cell for each class."""


def columns_of(evaluation: Evaluation, rows: Sequence[ClassRow]) -> Columns:
    """Return the columns of the table on a terminal."""
    scores = evaluation.scores
    mean, accuracy = percent(scores.mean_class_accuracy), [percent(row.accuracy) for row in rows]
    if evaluation.measured_with == "clicks":
        return {
            "correct %": (mean, accuracy),
            "95 % interval": ("", [span(row.interval) for row in rows]),
            "clicks": ("", [grouped(row.pixels) for row in rows]),
        }
    return {
        "IoU %": (percent(scores.miou), [percent(row.iou) for row in rows]),
        "accuracy %": (mean, accuracy),
        "pixels %": (percent(1.0 if scores.confusion.sum() else math.nan), [percent(row.share) for row in rows]),
    }


def accuracy_interval(evaluation: Evaluation) -> Interval:
    """Return the 95 % confidence interval of the accuracy; see :attr:`ClassRow.interval`."""
    confusion = evaluation.scores.confusion
    return share_interval(int(confusion.trace()), int(confusion.sum()))


def measured(evaluation: Evaluation, frames: int | None = None) -> str:
    """Return what the scores were measured with, and of clicks what they leave open.

    Args:
        evaluation: The scores.
        frames: Number of labelled frames, if it is known.
    """
    place = "" if frames is None else f" on {grouped(frames)} frames"
    if evaluation.measured_with == "masks":
        return f"measured with masks{place}"
    clicks = grouped(int(evaluation.scores.confusion.sum()))
    return (
        f"measured with {clicks} held-out clicks{place}; says nothing about borders, nor about classes without clicks"
    )


def summary(evaluation: Evaluation) -> str:
    """Return the means, a line each."""
    scores = evaluation.scores
    if evaluation.measured_with == "clicks":
        interval = span(accuracy_interval(evaluation))
        parts = [f"click accuracy {percent(scores.accuracy)} % (95 % interval {interval} %)", measured(evaluation)]
    else:
        parts = [f"mIoU {percent(scores.miou)} %", f"pixel accuracy {percent(scores.accuracy)} %"]
    if evaluation.temporal:
        both = f"{percent(evaluation.temporal.masked)} % (unmasked {percent(evaluation.temporal.unmasked)} %)"
        parts.append(f"temporal consistency {both}")
        parts += [f"  {compared(evaluation.pairs)}"] if evaluation.pairs else []
    parts += [f"VC{n} {percent(value)} %" for n, value in sorted(evaluation.video_consistency.items())]
    if speed := evaluation.speed:
        size = f"{speed.size[1]}x{speed.size[0]}"
        parts.append(f"{speed.fps:.1f} FPS ({speed.ms:.1f} ms, {size}, {speed.precision}, {speed.device})")
    return "\n".join(parts)


def compared(pairs: ComparedPairs) -> str:
    """Return which pairs of frames temporal consistency is from."""
    height, width = pairs.flow_size
    share = f"{pairs.compared:,} of {pairs.available:,} pairs of successive frames"
    return f"over {share}, {pairs.flow} flow at {width}x{height}"


def percent(value: float) -> str:
    """Return a share in percent, without the sign."""
    return _MISSING if math.isnan(value) else f"{100 * value:.1f}"


def span(interval: Interval) -> str:
    """Return an interval of shares in percent, without the sign."""
    return _MISSING if math.isnan(interval[0]) else f"{percent(interval[0])} to {percent(interval[1])}"


def grouped(value: int | None) -> str:
    """Return a whole number with its digits in groups, millions as "4.68 M"."""
    if value is None:
        return _MISSING
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value:,}"
