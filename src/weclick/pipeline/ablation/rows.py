"""Training and evaluating the rows of a comparison, which share teachers and memories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lightning.pytorch.utilities import rank_zero_info

from weclick.errors import WeclickError
from weclick.pipeline.clicks import clicks_at_start, clicks_of, clicks_of_comparison, report_newer_clicks, take_clicks
from weclick.pipeline.evaluate import choose_checkpoint, evaluate, need_masks
from weclick.pipeline.fit import check, fit, need_neighbours
from weclick.pipeline.inputs import memory_needs, teacher_needs
from weclick.pipeline.options import Stage
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.reporting.comparison.outcome import Outcome, read_scores
from weclick.signals import stopping

SHARED: Final = "shared"
"""Folder of the runs that hold the teachers and memories rows share."""


@dataclass(frozen=True)
class Row:
    """One training of a comparison.

    Args:
        name: Name of its run.
        settings: Settings with its arm, seed and budget.
        text: Returns the settings as YAML; its arguments are the shared teacher's checkpoint and memory's folder, if any.
    """

    name: str
    settings: FitSettings
    text: Callable[[str | None, str | None], str]


def train_rows(rows: Sequence[Row], folder: Path, write: Callable[[Sequence[Outcome]], None]) -> list[Outcome]:
    """Train and evaluate each row; finished runs in ``folder`` are reused, interrupted ones resumed.

    Runs are ``folder/<name>``. Rows whose teachers (or memories) have the same settings share one, a run in
    ``folder/shared``.

    Args:
        rows: Rows in order of training.
        folder: Folder of the comparison.
        write: Called after every row; writes the results so far.

    Raises:
        WeclickError: A row is refused; the message begins with its arm and seed.
        Interrupted: SIGTERM or SIGUSR1 was received; the same call resumes.
    """
    outcomes: list[Outcome] = []
    opened = rows[0].settings.opened  # the data set is opened once for all rows
    rows = [replace(row, settings=replace(row.settings, opened=opened)) for row in rows]
    if (own := clicks_at_start(folder)) is not None:
        report_newer_clicks(rows[0].settings, own)
    for number, row in enumerate(rows, start=1):
        rank_zero_info(f"\n{row.name} ({number} of {len(rows)})")
        try:
            with _stopping():
                outcomes.append(_train_row(row, folder))
        except WeclickError as error:
            raise type(error)(f"arm {row.settings.arm}, seed {row.settings.seed} ({row.name}): {error}") from error
        write(outcomes)
    return outcomes


@contextmanager
def _stopping() -> Iterator[None]:
    """Stop on signals as :func:`stopping` does; raise KeyboardInterrupt where Lightning exits on Ctrl-C."""
    with stopping():
        try:
            yield
        except SystemExit:  # Lightning's reaction to Ctrl-C in an evaluation
            raise KeyboardInterrupt from None


def _train_row(row: Row, folder: Path) -> Outcome:
    check(row.settings)
    dataset = row.settings.dataset
    need_masks(dataset, dataset.evaluation_split)
    run = Run(folder / row.name)
    take_clicks(row.settings, run, clicks_of_comparison(folder))
    need_neighbours(row.settings, run)  # before a shared teacher is trained for it
    settings = _with_shared(row, folder / SHARED, run) if row.settings.needs_teacher else row.settings
    _open_run(run.folder, row.text(settings.teacher_checkpoint, settings.memory.folder))
    with run.locked():
        fit(settings, run, ("student",))
        return _evaluate(settings, run)


def _evaluate(settings: FitSettings, run: Run) -> Outcome:
    """Return the scores of a run's student, from an earlier evaluation if there is one."""
    split = settings.dataset.evaluation_split
    chosen, results = choose_checkpoint(run, "student", split), run.folder / "test"
    if _is_evaluated(chosen.path, split, results):
        rank_zero_info(f"evaluation: finished in {results}")
    else:
        evaluate(settings, run, chosen, split, folder=results)
    clicks = settings.data.clicks
    return Outcome(
        arm=settings.arm,
        seed=settings.seed,
        epochs=settings.trainer["max_epochs"],
        frame_share=clicks.frame_share,
        clicks_per_frame=clicks.per_frame,
        **read_scores(results),
    )


def _is_evaluated(checkpoint: Path, split: str, folder: Path) -> bool:
    """Return whether a folder holds the complete evaluation of this checkpoint, unchanged since, on this split.

    ``weclick test`` writes to the same folder, perhaps for another split or checkpoint.
    """
    try:
        read_scores(folder)
        evaluated = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["evaluated"]
        # the report is written last
        written = min((folder / name).stat().st_mtime_ns for name in ("metrics.json", "report.html"))
        same = (evaluated["split"], Path(evaluated["checkpoint"]).name) == (split, checkpoint.name)
        return same and written >= checkpoint.stat().st_mtime_ns
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _open_run(folder: Path, config: str) -> Run:
    return Run(folder) if (folder / "config.yaml").exists() else Run.create(folder, config)


def _with_shared(row: Row, folder: Path, own: Run) -> FitSettings:
    """Train the row's teacher and build its memory, unless stored, and return the row's settings with both.

    Their runs are in ``folder``, named by the settings they depend on. They use the clicks of the row's own run.
    """
    settings = row.settings
    if settings.teacher_checkpoint is None:
        run = _fit_shared(row, folder, own, "teacher", teacher_needs(settings))
        settings = replace(settings, teacher_checkpoint=str(run.checkpoint("teacher", "last")))
    if settings.memory.mode == "stored" and settings.memory.folder is None:
        run = _fit_shared(replace(row, settings=settings), folder, own, "memory", memory_needs(settings))
        settings = replace(settings, memory=replace(settings.memory, folder=str(run.stage("memory"))))
    return settings


def _fit_shared(row: Row, folder: Path, own: Run, stage: Stage, needs: dict[str, Any]) -> Run:
    digest = hashlib.sha256(json.dumps(needs, sort_keys=True, default=str).encode()).hexdigest()[:8]
    name = f"{stage}-s{row.settings.seed}-{digest}"
    run = _open_run(folder / name, row.text(row.settings.teacher_checkpoint, None))
    take_clicks(row.settings, run, clicks_of(own))
    with run.locked():
        fit(row.settings, run, (stage,))
    return run
