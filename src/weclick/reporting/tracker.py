"""Weights & Biases, whose failure never stops a training."""

from __future__ import annotations

import functools
import os
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from weclick.classes import ClassSet
from weclick.errors import one_line
from weclick.files import write_text
from weclick.machine import process_rank
from weclick.metrics import Evaluation
from weclick.reporting import media
from weclick.reporting.options import TrackingOptions, WandbMode
from weclick.reporting.samples import Sample

Result = TypeVar("Result")

BEST: Final = {"train/loss": "min", "val/miou": "max", "val/accuracy": "max", "val/iou/": "max"}
"""Beginnings of the metrics of which the table of runs shows the best value, not the last."""

PATIENCE: Final = 120
"""Seconds that the end of a stage waits for uploads; what is left stays in the folder, for ``wandb sync``."""

_STEP: Final = "trainer/global_step"
"""Lightning's name of the x axis."""


def never_fatal(method: Callable[..., Result]) -> Callable[..., Result | None]:
    """Turn any failure of a tracker's method into one warning, after which the tracker stays silent."""

    @functools.wraps(method)
    def guarded(self: SafeWandb, *args: Any, **kwargs: Any) -> Result | None:  # noqa: ANN401
        if self.failed:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self.failed = True
            _warn_of(error)
            return None

    return guarded


def _warn_of(error: Exception) -> None:
    warnings.warn(f"Weights & Biases failed and is left out from here on ({one_line(error)})", stacklevel=3)


class SafeWandb(WandbLogger):
    """Weights & Biases through Lightning's logger, never fatal."""

    failed = False

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._wandb_init.pop("anonymous", None)  # the client warns whenever it is given, even as None
        self._defined: set[str] = set()

    @property
    def experiment(self) -> Any:  # noqa: ANN401
        """The client's run; an object that does nothing after a failure and in all processes but the first."""
        return (self._opened() if process_rank() == 0 else None) or Silent()

    @never_fatal
    def _opened(self) -> Any:  # noqa: ANN401
        return super().experiment

    @rank_zero_only
    @never_fatal
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:  # noqa: ANN401
        """Log metrics."""
        # by their full names: patterns would compete with Lightning's "*", and any one of them wins
        for name in metrics.keys() - self._defined:
            summary = next((best for beginning, best in BEST.items() if name.startswith(beginning)), None)
            self.experiment.define_metric(name, step_metric=_STEP, summary=summary)
            self._defined.add(name)
        super().log_metrics(metrics, step)

    @rank_zero_only
    @never_fatal
    def log_hyperparams(self, params: Any) -> None:  # noqa: ANN401
        """Log the config."""
        super().log_hyperparams(params)

    @rank_zero_only
    @never_fatal
    def finalize(self, status: str) -> None:
        """Close the run, so that the next stage opens its own."""
        super().finalize(status)
        # Lightning leaves the client's run open, and the next stage of this process would log to it
        if self._experiment is not None:
            self._experiment.finish(exit_code=0 if status in ("success", "finished") else 1)
            self._experiment = None

    @rank_zero_only
    @never_fatal
    def log_samples(self, key: str, samples: Sequence[Sample], classes: ClassSet, step: int) -> None:
        """Log pictures with their layers as switchable masks; at most 50 a step."""
        self.log_metrics({key: [media.picture(sample, classes) for sample in samples]}, step)

    @rank_zero_only
    @never_fatal
    def log_evaluation(self, evaluation: Evaluation, samples: Sequence[Sample], classes: ClassSet) -> None:
        """Log the results of a test: scores as the run's summary, a table of frames, and charts."""
        self.experiment.summary.update(media.test_scores(evaluation, classes))
        self.experiment.log(
            {
                "test/frames": media.frames_table(samples, classes),
                "test/confusion": media.confusion_chart(evaluation.scores.confusion, classes),
                "test/classes": media.class_bars(evaluation, classes),
            }
        )

    @rank_zero_only
    @never_fatal
    def use(self, asset: media.Asset) -> None:
        """Note files that this job reads; the one that wrote them is found by their content."""
        # what the client's use_artifact does, which refuses to do it offline
        self.experiment._log_artifact(media.artifact(asset), is_user_created=True, use_after_commit=True)

    @rank_zero_only
    @never_fatal
    def add(self, asset: media.Asset) -> None:
        """Store files that this job wrote."""
        self.experiment.log_artifact(media.artifact(asset), aliases=["latest", *asset.aliases])


class Silent:
    """An object on which every attribute and call does nothing."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Do nothing."""
        return self


def make_tracker(
    folder: Path, tracking: TrackingOptions, *, names: Sequence[str], job: str, config: Mapping[str, Any]
) -> SafeWandb | None:
    """Return the logger to the new or resumed record of a job; None where Weights & Biases is disabled or fails.

    Args:
        folder: The job's folder; it keeps the id under which a resumed job continues.
        tracking: ``auto`` is online for users who are logged in, else offline; the variable WANDB_MODE has priority.
        names: Of the run, whose jobs share the group of that name, and of the job in it.
        job: ``teacher``, ``memory``, ``student``, ``test`` or ``export``.
        config: Settings to show beside the results.
    """
    chosen = wandb_mode(tracking.wandb)
    # a sweep's agent gives its process one record, whatever id is asked for: the student's
    if chosen == "disabled" or ("WANDB_SWEEP_ID" in os.environ and job != "student"):
        return None
    online = chosen == "online"
    try:
        import wandb

        tracker = SafeWandb(
            name="-".join(names),
            id=_record_id(folder),
            project=tracking.project,
            group=names[0],
            job_type=job,
            save_dir=folder,
            offline=not online,
            mode=chosen,
            settings=wandb.Settings(
                silent=True, init_timeout=30, finish_timeout=PATIENCE, finish_timeout_raises=True, console="off"
            ),
            resume="allow" if online else None,
        )
    except Exception as error:  # such as a client that cannot be imported, or refuses a setting
        _warn_of(error)
        return None
    tracker.log_hyperparams(dict(config))
    return tracker


def _record_id(folder: Path) -> str:
    """Return the id of a job's record, drawn once and kept in the job's folder.

    A name is not unique: rows of all comparisons have the same ones, and so may a new run after one was deleted. Nor is a
    number of the seeded generators, which draw the same one for every run of a seed.
    """
    file = folder / "wandb_id.txt"
    if file.exists():
        return file.read_text(encoding="utf-8").strip()
    drawn = secrets.token_hex(8)
    if process_rank() == 0:
        write_text(file, drawn)
    return drawn


def wandb_mode(mode: WandbMode) -> Literal["online", "offline", "disabled"]:
    """Return the mode: that of WANDB_MODE, else ``mode``; ``auto`` is online only where the user is logged in."""
    for wanted in (os.environ.get("WANDB_MODE"), mode):
        if wanted in ("disabled", "dryrun", "offline", "online"):
            return "offline" if wanted == "dryrun" else wanted  # type: ignore[return-value]
    return "online" if _logged_in() else "offline"


def _logged_in() -> bool:
    try:
        import wandb

        return wandb.login(prompt=False)
    except Exception:  # such as a client that cannot be imported: track offline
        return False
