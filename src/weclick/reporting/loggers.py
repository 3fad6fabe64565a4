"""Loggers: always a local CSV file, and Weights & Biases, whose failure never stops a training."""

from __future__ import annotations

import csv
import functools
import io
import os
import secrets
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from weclick.classes import ClassSet
from weclick.errors import one_line
from weclick.files import write_text
from weclick.machine import process_rank
from weclick.reporting.options import WandbMode
from weclick.reporting.stages import read_metrics

Result = TypeVar("Result")


class MetricsFile(Logger):
    """Writes ``metrics.csv`` into ``folder``, and keeps the rows of a run that is resumed.

    The file is replaced with every row: Lightning's own CSV logger deletes an existing one, then writes in place, so that a
    killed process loses all rows.
    """

    name = version = ""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "metrics.csv"
        self._rows = read_metrics(self.file)

    @property
    def save_dir(self) -> str:
        """The folder itself."""
        return str(self.file.parent)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Add a row."""
        row = {name: float(value) for name, value in metrics.items()}
        self._rows.append({**row, "step": float(len(self._rows) if step is None else step)})
        self._write()

    @rank_zero_only
    def rewind(self, step: int) -> None:
        """Remove the rows from a step on: those that were written after a checkpoint with as many steps."""
        kept = [row for row in self._rows if row["step"] < step]
        if len(kept) < len(self._rows):
            self._rows = kept
            self._write()

    def _write(self) -> None:
        # whole because its columns change: the first validation adds some
        text = io.StringIO()
        writer = csv.DictWriter(text, sorted(set().union(*self._rows)), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: repr(value).removesuffix(".0") for name, value in row.items()} for row in self._rows)
        write_text(self.file, text.getvalue())

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Do nothing: the run's ``config.yaml`` and the checkpoints hold them."""


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

    @property
    def experiment(self) -> Any:  # noqa: ANN401
        """The client's run; an object that does nothing after a failure and in all processes but the first."""
        return (self._opened() if process_rank() == 0 else None) or _Silent()

    @never_fatal
    def _opened(self) -> Any:  # noqa: ANN401
        return super().experiment

    @rank_zero_only
    @never_fatal
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:  # noqa: ANN401
        """Log metrics."""
        super().log_metrics(metrics, step)

    @rank_zero_only
    @never_fatal
    def log_hyperparams(self, params: Any) -> None:  # noqa: ANN401
        """Log the config."""
        super().log_hyperparams(params)

    @never_fatal
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:  # noqa: ANN401
        """Note a checkpoint to upload at the end."""
        super().after_save_checkpoint(checkpoint_callback)

    @rank_zero_only
    @never_fatal
    def finalize(self, status: str) -> None:
        """Upload checkpoints and close the run, so that the next stage opens its own."""
        super().finalize(status)
        # Lightning leaves the client's run open, and the next stage of this process would log to it
        if self._experiment is not None:
            self._experiment.finish(exit_code=0 if status in ("success", "finished") else 1)
            self._experiment = None

    @rank_zero_only
    @never_fatal
    def log_overlays(self, key: str, overlays: list[dict[str, Any]], classes: ClassSet) -> None:
        """Log pictures with switchable masks.

        Args:
            key: Name of the panel.
            overlays: ``image`` uint8 (H, W, 3) and masks by name, uint8 (H, W); at most 50 a step.
            classes: Names shown for ids.
        """
        import wandb

        labels = dict(enumerate(classes.names))
        pictures = [
            wandb.Image(
                entry["image"],
                masks={
                    name: {"mask_data": mask, "class_labels": labels} for name, mask in entry.items() if name != "image"
                },
            )
            for entry in overlays
        ]
        # not a step of its own: the metrics that follow complete it
        self.experiment.log({key: pictures}, commit=False)

    @rank_zero_only
    @never_fatal
    def log_class_table(self, key: str, classes: ClassSet, iou: tuple[float, ...]) -> None:
        """Log IoU per class as a table."""
        import wandb

        rows = [[name, value] for name, value in zip(classes.names, iou, strict=True)]
        self.experiment.log({key: wandb.Table(columns=["class", "iou"], data=rows)}, commit=False)

    @rank_zero_only
    @never_fatal
    def log_summary(self, values: Mapping[str, float]) -> None:
        """Log single values, such as the scores of a test."""
        self.experiment.summary.update(dict(values))


class _Silent:
    """An object on which every attribute and call does nothing."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self


def make_loggers(
    folder: Path, *, mode: WandbMode, project: str, run: str, stage: str, config: dict[str, Any]
) -> list[Logger]:
    """Return the loggers of one stage: the local metrics file and, unless disabled, Weights & Biases.

    Args:
        folder: The stage's folder; it keeps the id under which a resumed run continues.
        mode: ``auto`` is online for users who are logged in, else offline; the environment variable WANDB_MODE has priority.
        project: Weights & Biases project.
        run: Name of the run; its stages share the group of that name.
        stage: ``teacher`` or ``student``.
        config: Settings to show beside the metrics.
    """
    tracker = make_tracker(folder, mode=mode, project=project, run=run, stage=stage)
    if tracker is None:
        return [MetricsFile(folder)]
    tracker.log_hyperparams(config)
    return [MetricsFile(folder), tracker]


def make_tracker(folder: Path, *, mode: WandbMode, project: str, run: str, stage: str) -> SafeWandb | None:
    """Return the logger to a stage's new or resumed record in Weights & Biases; None where it is disabled or fails.

    Arguments are those of :func:`make_loggers`.
    """
    chosen = wandb_mode(mode)
    if chosen == "disabled":
        return None
    online = chosen == "online"
    try:
        import wandb

        return SafeWandb(
            name=f"{run}-{stage}",
            id=_record_id(folder),
            project=project,
            group=run,
            job_type=stage,
            save_dir=folder,
            offline=not online,
            mode=chosen,
            log_model=online,  # offline the client refuses it
            settings=wandb.Settings(silent=True, init_timeout=30, console="off"),
            resume="allow" if online else None,
        )
    except Exception as error:  # such as a client that cannot be imported, or refuses a setting
        _warn_of(error)
        return None


def _record_id(folder: Path) -> str:
    """Return the id of a stage's record, drawn once and kept in the stage's folder.

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
