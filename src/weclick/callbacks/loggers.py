"""Where metrics go: always a local CSV file; Weights & Biases beside it, which may fail without harm."""

from __future__ import annotations

import csv
import functools
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from weclick.classes import ClassSet
from weclick.processes import process_rank

WandbMode = Literal["auto", "online", "offline", "disabled"]
Result = TypeVar("Result")


class MetricsFile(CSVLogger):
    """Lightning's CSV logger writing ``metrics.csv`` straight into ``folder``, kept when a run is resumed."""

    def __init__(self, folder: Path) -> None:
        file = folder / "metrics.csv"
        rows = read_metrics(file)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Experiment logs directory")  # the rows are put back below
            super().__init__(folder, name="", version="", flush_logs_every_n_steps=1)
            if process_rank() == 0:
                self.experiment.metrics.extend(rows)
                self.experiment.save()  # Lightning has deleted the file

    @property
    def log_dir(self) -> str:
        """The folder itself."""
        return str(self.root_dir)


def read_metrics(file: Path) -> list[dict[str, float]]:
    """Return the rows of a ``metrics.csv``, without empty cells; no rows where there is no file."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(stream)]


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
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            warnings.warn(f"Weights & Biases failed and is left out from here on ({reason})", stacklevel=2)
            return None

    return guarded


class SafeWandb(WandbLogger):
    """Weights & Biases through Lightning's logger, never fatal."""

    failed = False

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._wandb_init.pop("anonymous", None)  # the client warns whenever it is given, even as None

    @property
    def experiment(self) -> Any:  # noqa: ANN401
        """The client's run; after a failure, and in other processes than the first, a stand-in that does nothing."""
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
        """Remember checkpoints to upload."""
        super().after_save_checkpoint(checkpoint_callback)

    @rank_zero_only
    @never_fatal
    def finalize(self, status: str) -> None:
        """Upload checkpoints and close the run, so that the next stage opens its own."""
        super().finalize(status)
        if self._experiment is not None:
            self._experiment.finish(exit_code=0 if status in ("success", "finished") else 1)
            self._experiment = None

    @rank_zero_only
    @never_fatal
    def log_overlays(self, key: str, overlays: list[dict[str, Any]], classes: ClassSet) -> None:
        """Log pictures with switchable masks.

        Args:
            key: Name of the panel.
            overlays: ``image`` uint8 (H, W, 3) and masks by name, uint8 (H, W); at most 50 a step are wise.
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
        self.experiment.log({key: pictures}, commit=False)

    @rank_zero_only
    @never_fatal
    def log_class_table(self, key: str, classes: ClassSet, iou: tuple[float, ...]) -> None:
        """Log IoU per class as a table."""
        import wandb

        rows = [[name, value] for name, value in zip(classes.names, iou, strict=True)]
        self.experiment.log({key: wandb.Table(columns=["class", "iou"], data=rows)}, commit=False)


class _Silent:
    """Takes any call and does nothing."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self


def make_loggers(
    folder: Path, *, mode: WandbMode, project: str, run: str, stage: str, config: dict[str, Any]
) -> list[Logger]:
    """Return the loggers of one stage: the local metrics file and, unless disabled, Weights & Biases.

    Args:
        folder: The stage's folder.
        mode: ``auto`` is online for users who are logged in and offline otherwise; WANDB_MODE is obeyed.
        project: Weights & Biases project.
        run: Name of the run; its stages share the group of that name.
        stage: ``teacher`` or ``student``; with ``run`` it makes the id under which a resumed run continues.
        config: Settings to show beside the metrics.
    """
    loggers: list[Logger] = [MetricsFile(folder)]
    chosen = wandb_mode(mode)
    if chosen != "disabled":
        online = chosen == "online"
        tracker = SafeWandb(
            name=f"{run}-{stage}",
            id="".join(c if c.isalnum() or c in "-_" else "-" for c in f"{run}-{stage}")[-64:],
            project=project,
            group=run,
            job_type=stage,
            save_dir=folder,
            offline=not online,
            mode=chosen,
            log_model=online,
            settings=_quiet_settings(),
            resume="allow" if online else None,
        )
        tracker.log_hyperparams(config)
        loggers.append(tracker)
    return loggers


def wandb_mode(mode: WandbMode) -> Literal["online", "offline", "disabled"]:
    """Decide how to track: WANDB_MODE first, then ``mode``; ``auto`` is online only where the user is logged in."""
    for wanted in (os.environ.get("WANDB_MODE"), mode):
        if wanted in ("disabled", "dryrun", "offline", "online"):
            return "offline" if wanted == "dryrun" else wanted  # type: ignore[return-value]
    return "online" if _logged_in() else "offline"


def _logged_in() -> bool:
    try:
        import wandb

        return wandb.login(prompt=False)
    except Exception:
        return False


def _quiet_settings() -> Any:  # noqa: ANN401
    import wandb

    return wandb.Settings(silent=True, init_timeout=30, console="off")
