"""Training several arms of the method under one budget, and comparing them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

from lightning.pytorch.utilities import rank_zero_info

from weclick.files import write_text
from weclick.metrics import Evaluation
from weclick.modules.arms import ArmName
from weclick.pipeline.evaluate import choose_checkpoint, evaluate
from weclick.pipeline.fit import fit
from weclick.pipeline.run import Run, Stage
from weclick.pipeline.settings import FitSettings

SHARED = "shared"
"""Name of the run that holds the teacher and memory all arms of a seed share."""


@dataclass(frozen=True)
class Result:
    """Evaluation of one arm and seed, and where its report is."""

    arm: ArmName
    seed: int
    evaluation: Evaluation
    report: Path


def ablate(
    settings: FitSettings,
    arms: Sequence[ArmName],
    seeds: Sequence[int],
    folder: Path,
    dump: Callable[[FitSettings], str],
) -> list[Result]:
    """Train and evaluate each arm with each seed; what is finished in ``folder`` is reused, what is begun is resumed.

    Runs are ``folder/<arm>-s<seed>``; teacher and memory are trained once per seed, in ``folder/shared-s<seed>``.
    Afterwards ``folder`` holds ``table.csv`` and ``table.md``.
    """
    results = []
    for seed in seeds:
        for arm in arms:
            chosen = replace(settings, arm=arm, seed=seed)
            if chosen.method.needs_teacher:
                chosen = _with_shared(chosen, _opened(folder / f"{SHARED}-s{seed}", dump(chosen)))
            run = _opened(folder / f"{arm}-s{seed}", dump(chosen))
            rank_zero_info(f"\n{run.name}")
            results.append(_result(chosen, run))
    write_text(folder / "table.csv", table_csv(results))
    write_text(folder / "table.md", table_markdown(results))
    return results


def _opened(folder: Path, config: str) -> Run:
    return Run(folder) if (folder / "config.yaml").exists() else Run.create(folder, config)


def _with_shared(settings: FitSettings, shared: Run) -> FitSettings:
    stages: tuple[Stage, ...] = ("teacher", "memory") if settings.memory.mode == "stored" else ("teacher",)
    with shared.locked():
        fit(settings, shared, stages)
    memory = replace(settings.memory, folder=str(shared.stage("memory")))
    teacher = settings.teacher_checkpoint or str(shared.checkpoint("teacher", "last"))
    return replace(settings, teacher_checkpoint=teacher, memory=memory)


def _result(settings: FitSettings, run: Run) -> Result:
    with run.locked():
        fit(settings, run, ("student",))
    split = settings.make_data().evaluation_split
    found, _ = evaluate(settings, run, choose_checkpoint(run, "student", split), split, folder=run.folder / "test")
    return Result(settings.arm, settings.seed, found, run.folder / "test" / "report.html")


def summary(results: Sequence[Result]) -> list[dict[str, str]]:
    """Return one row per arm: mean and spread over seeds, gain over ``clicks`` and share of ``full`` where there are such."""
    by_arm = {arm: [r for r in results if r.arm == arm] for arm in dict.fromkeys(r.arm for r in results)}
    means = {arm: mean(r.evaluation.scores.miou for r in rows) for arm, rows in by_arm.items()}
    return [
        {
            "arm": arm,
            "seeds": str(len(rows)),
            "mIoU": _percent(means[arm]),
            "spread": _percent(stdev(values)) if len(values := [r.evaluation.scores.miou for r in rows]) > 1 else "-",
            "gain over clicks": f"{100 * (means[arm] - means['clicks']):+.2f}" if "clicks" in means else "-",
            "share of full": _percent(means[arm] / means["full"]) if means.get("full") else "-",
            "temporal consistency": _mean_or_dash(
                [r.evaluation.temporal.masked for r in rows if r.evaluation.temporal is not None]
            ),
            "FPS": _mean_or_dash([r.evaluation.speed.fps / 100 for r in rows if r.evaluation.speed is not None]),
        }
        for arm, rows in by_arm.items()
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _mean_or_dash(values: Sequence[float]) -> str:
    return _percent(mean(values)) if values else "-"


def table_csv(results: Sequence[Result]) -> str:
    """Return the summary as CSV."""
    rows = summary(results)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table_markdown(results: Sequence[Result]) -> str:
    """Return the summary as a Markdown table, in percent, with the speed it was measured at."""
    rows = summary(results)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    speed = results[0].evaluation.speed
    where = (
        f"\nFPS: one frame at a time, {speed.size[1]}x{speed.size[0]}, {speed.precision}, {speed.device}.\n"
        if speed
        else ""
    )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n" + where
