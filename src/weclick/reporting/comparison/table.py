"""Tables of arms: one line per arm, IoU per class, and how they were measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Final

from weclick.files import write_text
from weclick.reporting.comparison.outcome import Outcome
from weclick.reporting.comparison.version import code_version
from weclick.reporting.tables import MISSING, Line, percent, to_csv, to_markdown

WINDOW: Final = 8
"""The n of the VC_n in the table."""

Arms = dict[str, dict[int, Outcome]]


def write_tables(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write ``table`` and ``per_class`` into a folder, each as CSV and Markdown."""
    for name, lines in (("table", arm_lines(outcomes)), ("per_class", class_lines(outcomes))):
        write_text(folder / f"{name}.csv", to_csv(lines))
        write_text(folder / f"{name}.md", f"{to_markdown(lines)}\n{facts(outcomes)}\n")


def by_arm(outcomes: Iterable[Outcome]) -> Arms:
    """Group outcomes by arm and seed, arms in the order of their first outcome."""
    arms: Arms = {}
    for outcome in outcomes:
        arms.setdefault(outcome.arm, {})[outcome.seed] = outcome
    return arms


def arm_lines(outcomes: Sequence[Outcome]) -> list[Line]:
    """Return one line per arm; all numbers except FPS in percent.

    Spreads are sample standard deviations over seeds. Gain and share compare an arm with ``clicks`` and ``full`` seed by
    seed, over the seeds that both have; the gain's spread is that of the differences.
    """
    arms = by_arm(outcomes)
    with_video = any(WINDOW in outcome.video_consistency for outcome in outcomes)
    return [_arm_line(arm, arms, with_video) for arm in arms]


def _arm_line(arm: str, arms: Arms, with_video: bool) -> Line:
    own = list(arms[arm].values())
    gains = [one.miou - other.miou for one, other in _pairs(arms, arm, "clicks")]
    # numerator and denominator of the share are sums over the same seeds
    full = _pairs(arms, arm, "full")
    ceiling = sum(other.miou for _, other in full)
    video = [o.video_consistency[WINDOW] for o in own if WINDOW in o.video_consistency]
    speeds = [outcome.speed.fps for outcome in own if outcome.speed is not None]
    return {
        "arm": arm,
        "seeds": str(len(own)),
        "mIoU": percent(mean(outcome.miou for outcome in own)),
        "spread": percent(spread([outcome.miou for outcome in own])),
        "gain over clicks": f"{100 * mean(gains):+.2f}" if gains else MISSING,
        "gain spread": percent(spread(gains)),
        "share of full": percent(sum(one.miou for one, _ in full) / ceiling) if ceiling else MISSING,
        "temporal consistency": percent(average(o.temporal for o in own if o.temporal is not None)),
        **({f"VC{WINDOW}": percent(average(video))} if with_video else {}),
        "FPS": f"{mean(speeds):.1f}" if speeds else MISSING,
    }


def _pairs(arms: Arms, arm: str, reference: str) -> list[tuple[Outcome, Outcome]]:
    """Return the outcomes of an arm and of a reference arm, for each seed that both have."""
    others = arms.get(reference, {})
    return [(outcome, others[seed]) for seed, outcome in arms[arm].items() if seed in others]


def class_lines(outcomes: Sequence[Outcome]) -> list[Line]:
    """Return one line per class with each arm's IoU, a mean over seeds, in percent."""
    arms = by_arm(outcomes)
    return [
        {"class": name, **{arm: percent(average(o.iou[name] for o in own.values())) for arm, own in arms.items()}}
        for name in outcomes[0].iou
    ]


def facts(outcomes: Sequence[Outcome]) -> str:
    """Return one line that states how the scores were measured: budget, evaluation, code, device."""
    first = outcomes[0]
    clicks = [outcome.clicks for outcome in outcomes if outcome.clicks is not None]
    parts = [
        f"epochs {number_range(outcome.epochs for outcome in outcomes)}",
        f"seeds {', '.join(map(str, dict.fromkeys(outcome.seed for outcome in outcomes)))}",
        *([f"clicks {number_range(clicks)}"] if clicks else []),
        f"{first.split} split, {first.frames} frames",
        code_version(),
    ]
    if first.speed is not None:
        height, width = first.speed.size
        parts += [f"{width}x{height}", f"FPS one frame at a time, {first.speed.precision}, {first.speed.device}"]
    return f"Budget: {'; '.join(parts)}. Scores in percent."


def number_range(values: Iterable[int]) -> str:
    """Return the smallest and the largest number as text, one number where they are the same."""
    numbers = sorted(set(values))
    return f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,}"


def spread(values: Sequence[float]) -> float:
    """Return the sample standard deviation; NaN for less than two values."""
    return stdev(values) if len(values) > 1 else math.nan


def average(values: Iterable[float]) -> float:
    """Return the mean of the numbers that are not NaN; NaN where there is none."""
    numbers = [value for value in values if not math.isnan(value)]
    return mean(numbers) if numbers else math.nan
