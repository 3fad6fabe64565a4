"""mIoU over the click budget, as points and tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final, Literal

from weclick.files import write_text
from weclick.reporting.comparison.outcome import Outcome
from weclick.reporting.comparison.table import average, facts, spread
from weclick.reporting.tables import MISSING, Line, percent, to_csv, to_markdown

Curve = Literal["frames", "clicks"]

TITLES: Final[dict[Curve, str]] = {
    "frames": "mIoU by share of the clicked frames, with all their clicks",
    "clicks": "mIoU by clicks per frame, in all clicked frames",
}


@dataclass(frozen=True)
class Point:
    """One arm at one budget.

    Args:
        curve: ``frames``: fewer frames with all their clicks; ``clicks``: all frames with fewer clicks in each.
        arm: Arm of the method.
        share: Share of the clicked frames.
        per_frame: Largest number of clicks per frame; infinite for all of them.
        clicks: Number of clicks in all, a mean over seeds; NaN for masks.
        mious: One per seed.
    """

    curve: Curve
    arm: str
    share: float
    per_frame: float
    clicks: float
    mious: tuple[float, ...]

    @property
    def limit(self) -> float:
        """The share or number that varies along the curve."""
        return self.share if self.curve == "frames" else self.per_frame

    @property
    def label(self) -> str:
        """The limit as text."""
        return "all" if math.isinf(self.limit) else f"{self.limit:g}"


def points(outcomes: Iterable[Outcome]) -> list[Point]:
    """Return the points of both curves, arms in the order of their first outcome, budgets rising.

    All clicks of all frames are a point of both curves. Arms that train from masks have no point in ``clicks``.
    """
    groups: dict[tuple[Curve, str, float, float], list[Outcome]] = {}
    for outcome in outcomes:
        share, per_frame = outcome.frame_share, outcome.clicks_per_frame or math.inf
        if math.isinf(per_frame):
            groups.setdefault(("frames", outcome.arm, share, per_frame), []).append(outcome)
        if share == 1 and outcome.clicks is not None:
            groups.setdefault(("clicks", outcome.arm, share, per_frame), []).append(outcome)
    arms = list(dict.fromkeys(arm for _, arm, _, _ in groups))
    made = [
        Point(
            *key,
            clicks=average(outcome.clicks for outcome in own if outcome.clicks is not None),
            mious=tuple(outcome.miou for outcome in own),
        )
        for key, own in groups.items()
    ]
    return sorted(made, key=lambda point: (list(TITLES).index(point.curve), arms.index(point.arm), point.limit))


def write_curves(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write ``curves.csv`` and ``curves.md`` into a folder."""
    write_text(folder / "curves.csv", to_csv([_line(point) for point in points(outcomes)]))
    write_text(folder / "curves.md", curves_markdown(outcomes))


def _line(point: Point) -> Line:
    return {
        "curve": point.curve,
        "arm": point.arm,
        "frame share": f"{point.share:g}",
        "clicks per frame": "all" if math.isinf(point.per_frame) else f"{point.per_frame:g}",
        "clicks in all": _count(point.clicks),
        "seeds": str(len(point.mious)),
        "mIoU": percent(mean(point.mious)),
        "spread": percent(spread(point.mious)),
    }


def _count(clicks: float) -> str:
    return MISSING if math.isnan(clicks) else f"{clicks:.0f}"


def curves_markdown(outcomes: Sequence[Outcome]) -> str:
    """Return a Markdown table per curve, a row per budget and a column per arm, and the line of facts."""
    both = points(outcomes)
    parts = []
    for curve, title in TITLES.items():
        own = [point for point in both if point.curve == curve]
        if own:
            parts += [f"{title}:\n", to_markdown(_budget_lines(own, curve))]
    return "\n".join([*parts, facts(outcomes), ""])


def _budget_lines(own: Sequence[Point], curve: Curve) -> list[Line]:
    first = "share" if curve == "frames" else "per frame"
    arms = list(dict.fromkeys(point.arm for point in own))
    lines: list[Line] = []
    for limit in sorted({point.limit for point in own}):
        at = {point.arm: point for point in own if point.limit == limit}
        clicks = average(point.clicks for point in at.values())
        label = next(iter(at.values())).label
        cells = {arm: _with_spread(at[arm]) if arm in at else MISSING for arm in arms}
        lines.append({first: label, "clicks in all": _count(clicks), **{f"mIoU {arm}": cells[arm] for arm in arms}})
    return lines


def _with_spread(point: Point) -> str:
    wide = spread(point.mious)
    return percent(mean(point.mious)) + ("" if math.isnan(wide) else f" ± {percent(wide)}")
