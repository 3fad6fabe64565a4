"""Plots of comparisons, in the style of :mod:`weclick.reporting.plots`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weclick.reporting.comparison.curves import Point
from weclick.reporting.comparison.outcome import Outcome
from weclick.reporting.comparison.table import Arms, average, by_arm, spread
from weclick.reporting.plots import COLORS, INK, encode, plain

_XLABELS: Final = {
    "frames": "share of the clicked frames, all clicks of each",
    "clicks": "clicks per frame, all frames",
}


def plot_arms(outcomes: Sequence[Outcome]) -> bytes:
    """Draw mIoU and, where it was measured, temporal consistency of each arm as PNG."""
    return encode(arms_figure(by_arm(outcomes)), "png")


def plot_budget(points: Sequence[Point]) -> bytes:
    """Draw the curves of each arm as PNG."""
    return encode(budget_figure(points), "png")


def arms_figure(arms: Arms) -> Figure:
    """Build the figure of :func:`plot_arms`: means with spreads, seeds as small dots below, ``full`` as a dashed line."""
    panels: list[tuple[str, Callable[[Outcome], float | None]]] = [("mIoU, %", lambda outcome: outcome.miou)]
    if any(outcome.temporal is not None for own in arms.values() for outcome in own.values()):
        panels.append(("temporal consistency, %", lambda outcome: outcome.temporal))
    figure = Figure(figsize=(4.6 * len(panels), 1.2 + 0.42 * len(arms)), layout="constrained")
    for axes, (title, value) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for row, (arm, own) in enumerate(arms.items()):
            _draw_arm(
                axes, row, arm, [100 * v for v in map(value, own.values()) if v is not None and not math.isnan(v)]
            )
        # names of arms on the left only: all panels share their rows
        axes.set_yticks(range(len(arms)), list(arms) if axes.get_subplotspec().is_first_col() else [""] * len(arms))
        axes.set_ylim(len(arms) - 0.5, -0.6)
        axes.margins(x=0.12)
        axes.set_xlabel(title, color=INK)
        plain(axes)
    return figure


def _draw_arm(axes: Axes, row: int, arm: str, values: Sequence[float]) -> None:
    """Draw the values of one arm as dots, and the mean as a dot and a number."""
    if not values:
        return
    color, center, wide = COLORS[row % len(COLORS)], mean(values), spread(values)
    if arm == "full":  # the ceiling of all arms, so it crosses all rows
        axes.axvline(center, color=color, linestyle="--", linewidth=1, zorder=0)
    if not math.isnan(wide):
        axes.errorbar(center, row, xerr=wide, color=color, capsize=3, linewidth=1.4)
        axes.plot(values, [row + 0.25] * len(values), ".", color=color, markersize=5, alpha=0.7)
    axes.plot([center], [row], "o", color=color, markersize=7)
    axes.annotate(
        f"{center:.1f}",
        (center, row),
        (0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},  # keeps the dashed line from crossing the number
    )


def budget_figure(points: Sequence[Point]) -> Figure:
    """Build the figure of :func:`plot_budget`: a panel per curve, a line per arm, a band for the spread over seeds."""
    curves = list(dict.fromkeys(point.curve for point in points))
    colors = dict(zip(dict.fromkeys(point.arm for point in points), COLORS * len(points), strict=False))
    figure = Figure(figsize=(1 + 3.8 * len(curves), 4.2), layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, curve in zip(panels, curves, strict=True):
        own = [point for point in points if point.curve == curve]
        clicks = {point.limit: average(p.clicks for p in own if p.limit == point.limit) for point in own}
        # clicks per frame are placed at their total number of clicks, as "all" of them has no other place on the axis
        places = {limit: limit if curve == "frames" else clicks[limit] for limit in clicks}
        for arm, color in colors.items():
            _draw_line(axes, arm, color, [point for point in own if point.arm == arm], places)
        _label_budgets(axes, {places[p.limit]: p.label for p in own}, {places[k]: v for k, v in clicks.items()})
        axes.set_xlabel(_XLABELS[curve], color=INK)
        axes.margins(x=0.08, y=0.12)
        plain(axes)
    panels[0].set_ylabel("mIoU, %", color=INK)
    panels[0].legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def _draw_line(axes: Axes, arm: str, color: str, own: Sequence[Point], places: Mapping[float, float]) -> None:
    across, means = [places[point.limit] for point in own], [100 * mean(point.mious) for point in own]
    wide = [0.0 if math.isnan(s := spread(point.mious)) else 100 * s for point in own]
    axes.plot(across, means, color=color, label=arm, linewidth=1.8, marker="o", markersize=4)
    if any(wide):
        low, high = ([m + sign * w for m, w in zip(means, wide, strict=True)] for sign in (-1, 1))
        axes.fill_between(across, low, high, color=color, alpha=0.18, linewidth=0)


def _label_budgets(axes: Axes, names: Mapping[float, str], clicks: Mapping[float, float]) -> None:
    """Label the budgets below the axes, and their total number of clicks above."""
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(list(names), list(names.values()))
    totals = {place: f"{count:,.0f}" for place, count in clicks.items() if not math.isnan(count)}
    if totals:
        above = axes.secondary_xaxis("top")
        above.minorticks_off()
        above.set_xticks(list(totals), list(totals.values()))
        above.tick_params(colors=INK, labelsize=8, length=0)
        above.spines[:].set_visible(False)
        above.set_xlabel("clicks in all", color=INK, fontsize=8)
