"""Curves, confusion matrix, bars and trade-offs as matplotlib figures.

Text is mid grey, which is readable on light and dark pages: SVG has no background, PNG a white one. Figures are made without
pyplot, which keeps state between calls and is not safe in threads.
"""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from weclick.classes import ClassSet
from weclick.errors import ShapeError

INK = "#7a838d"
_ACCENT = "#2f7fb8"
COLORS = (_ACCENT, "#d9822b", "#3d9a6c", "#a45fb0", "#c8553d", "#8a8f3c", "#4aa5a5", "#b0688c")
# From transparent to accent: an empty cell has the page's own colour.
_SHADES = LinearSegmentedColormap.from_list("shades", [(0.184, 0.498, 0.722, 0.0), (0.184, 0.498, 0.722, 1.0)])
_NUMBERS_UP_TO = 20

Kind = Literal["png", "svg"]

Curves = dict[str, list[tuple[int, float]]]
"""Name of a logged value to its (epoch, value) points, by epoch, counted from 1."""


def plot_curves(rows: Sequence[Mapping[str, float]], kind: Kind = "png") -> bytes:
    """Draw training losses above and validation values below, over epochs.

    Args:
        rows: Rows of a ``metrics.csv``, without empty cells; each holds only a few columns.
        kind: Format of the picture.
    """
    return encode(curves_figure(curves(rows)), kind)


def plot_confusion(matrix: np.ndarray, classes: ClassSet, kind: Kind = "png") -> bytes:
    """Draw the confusion matrix (rows = truth) with every row divided by its sum."""
    return encode(confusion_figure(matrix, classes), kind)


def plot_rates(rates: Mapping[str, float], unit: str, kind: Kind = "png") -> bytes:
    """Draw one bar per named rate, in this order, with its number."""
    return encode(rates_figure(rates, unit), kind)


def plot_trade(points: Mapping[str, tuple[float, float]], across: str, up: str, kind: Kind = "png") -> bytes:
    """Draw named points (cost, gain), and a line through the Pareto front: less cost, more gain."""
    return encode(trade_figure(points, across, up), kind)


def encode(figure: Figure, kind: Kind) -> bytes:
    """Return a figure as the bytes of a picture."""
    buffer = io.BytesIO()
    # white below PNG: a viewer may show transparent pixels as black
    figure.savefig(buffer, format=kind, dpi=144, facecolor="white" if kind == "png" else "none")
    return buffer.getvalue()


def curves(rows: Sequence[Mapping[str, float]]) -> Curves:
    """Gather training losses and validation values by name; several values of one epoch are averaged."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for column, value in row.items():
            if column.startswith(("train/loss", "val/")) and "epoch" in row and math.isfinite(value):
                values[column][int(row["epoch"]) + 1].append(value)
    return {name: [(e, float(np.mean(v))) for e, v in sorted(points.items())] for name, points in values.items()}


def curves_figure(points: Curves) -> Figure:
    """Build the figure of :func:`plot_curves`; the best validation mIoU is marked."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    losses, values = figure.subplots(2, 1, sharex=True)
    for axes, prefix in ((losses, "train/"), (values, "val/")):
        names = sorted(name for name in points if name.startswith(prefix) and ("loss" in name) == (axes is losses))
        for name, color in zip(names, COLORS * (len(names) // len(COLORS) + 1), strict=False):
            epochs, heights = zip(*points[name], strict=True)
            axes.plot(epochs, heights, color=color, label=name.removeprefix(prefix), linewidth=1.8, marker=".")
        plain(axes)
        if names:
            axes.legend(frameon=False, labelcolor=INK, fontsize=8)
    losses.set_ylabel("training loss", color=INK)
    losses.set_ylim(bottom=0)  # a loss is judged by its distance to 0
    values.set_ylabel("validation", color=INK)
    values.set_xlabel("epoch", color=INK)
    values.xaxis.get_major_locator().set_params(integer=True)
    if points.get("val/miou"):
        _mark_best(values, points["val/miou"])
    return figure


def _mark_best(axes: Axes, points: Sequence[tuple[int, float]]) -> None:
    epoch, best = max(points, key=lambda point: point[1])
    axes.plot([epoch], [best], marker="o", markersize=7, markerfacecolor="none", markeredgecolor=INK)
    axes.annotate(f"{best:.3f}", (epoch, best), (0, 7), textcoords="offset points", color=INK, fontsize=8, ha="center")
    axes.margins(y=0.2)


def confusion_figure(matrix: np.ndarray, classes: ClassSet) -> Figure:
    """Build the figure of :func:`plot_confusion`.

    Rows of classes that are absent from the labels stay empty. Up to 20 classes the cells carry percentages.
    """
    count = len(classes)
    if matrix.shape != (count, count):
        raise ShapeError(f"{count} classes need a confusion matrix ({count}, {count}), found {matrix.shape}")
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)  # the row of an absent class stays 0
    side = min(2.4 + 0.36 * count, 16.0)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1)
    names = [_label(name) for name in classes.names]
    axes.set_xticks(range(count), names, rotation=90)
    axes.set_yticks(range(count), names)
    plain(axes)
    axes.grid(False)
    # lines between the cells instead of through their centres
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=INK, alpha=0.2, linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("true", color=INK)
    if count <= _NUMBERS_UP_TO:
        _write_shares(axes, shares)
    return figure


def _write_shares(axes: Axes, shares: np.ndarray) -> None:
    for row, column in np.argwhere(shares >= 0.005):  # smaller ones would all be printed as 0
        share = shares[row, column]
        color = "white" if share > 0.5 else INK
        axes.text(column, row, f"{100 * share:.0f}", color=color, ha="center", va="center", fontsize=7)


def rates_figure(rates: Mapping[str, float], unit: str) -> Figure:
    """Build the figure of :func:`plot_rates`."""
    figure = Figure(figsize=(7.2, 0.8 + 0.26 * len(rates)), layout="constrained")
    axes = figure.subplots()
    values = list(rates.values())
    axes.barh(range(len(values)), values, color=_ACCENT)
    for row, value in enumerate(values):
        place = (value, row)
        axes.annotate(f"{value:.1f}", place, (4, 0), textcoords="offset points", color=INK, va="center", fontsize=8)
    axes.set_yticks(range(len(values)), [_label(name) for name in rates])
    axes.invert_yaxis()
    axes.margins(y=0.02)
    plain(axes)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 1.1 * max(values, default=1.0))
    axes.set_xlabel(unit, color=INK)
    return figure


def trade_figure(points: Mapping[str, tuple[float, float]], across: str, up: str) -> Figure:
    """Build the figure of :func:`plot_trade`."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.subplots()
    for name, (cost, gain) in points.items():
        axes.plot([cost], [gain], marker="o", color=_ACCENT)
        axes.annotate(_label(name), (cost, gain), (5, 4), textcoords="offset points", color=INK, fontsize=8)
    front = pareto_front(points)
    axes.plot([points[name][0] for name in front], [points[name][1] for name in front], color=COLORS[1], zorder=0)
    axes.margins(x=0.15, y=0.1)
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    plain(axes)
    return figure


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points (cost, gain) that no other point beats in both, by rising cost."""
    front: list[str] = []
    for name in sorted(points, key=lambda n: (points[n][0], -points[n][1])):
        if not front or points[name][1] > points[front[-1]][1]:
            front.append(name)
    return front


def _label(name: str) -> str:
    """Return the name with its dollar signs escaped: matplotlib sets text between two of them as mathematics."""
    return name.replace("$", r"\$")


def plain(axes: Axes) -> None:
    """Reduce the axes to a light grid behind the data."""
    axes.set_facecolor("none")
    axes.grid(color=INK, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
