"""What Weights & Biases shows of a run: a record per job, and which files of one job another has read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch.loggers import Logger

from weclick.memory.store import MemoryStore
from weclick.modules.base import SegmentationModule
from weclick.pipeline.inputs import EARLIER, earlier_round, teacher_checkpoint
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.reporting.loggers import make_loggers, trackers_of
from weclick.reporting.media import Asset
from weclick.reporting.tracker import SafeWandb, Silent, make_tracker


def stage_loggers(settings: FitSettings, run: Run, module: SegmentationModule) -> list[Logger]:
    """Return the loggers of a training; Weights & Biases records which files it reads."""
    config = {"arm": settings.arm, "seed": settings.seed, "data": asdict(settings.data)}
    config[module.stage] = asdict(module.options)
    folder: Path = run.folder / module.stage
    loggers = make_loggers(folder, settings.tracking, names=names_of(folder), stage=module.stage, config=config)
    for tracker in trackers_of(loggers):
        for asset in inputs_of(settings, run, module.stage):
            tracker.use(asset)
    return loggers


def inputs_of(settings: FitSettings, run: Run, stage: str) -> list[Asset]:
    """Return what a training reads: clicks, and the memory or teacher that it learns from."""
    assets = []
    if run.clicks.exists():
        assets.append(_asset(run.folder / "clicks", "clicks", {run.clicks.name: run.clicks}))
    if stage == "teacher" and settings.teacher_rounds > 1:
        assets.append(memory_asset(earlier_round(run).stage("memory")))
    if stage == "student" and settings.needs_teacher:
        online = settings.memory.mode == "online"
        folder = settings.memory.folder or run.stage("memory")
        assets.append(checkpoint_asset(teacher_checkpoint(settings, run)) if online else memory_asset(Path(folder)))
    return assets


def checkpoint_asset(path: Path) -> Asset:
    """Return a stage's checkpoint: a version in the collection of its run and stage."""
    return _asset(path.parent, "model", {"model.ckpt": path}, aliases=(path.stem,))


def memory_asset(folder: Path) -> Asset:
    """Return a memory by its manifest, which identifies it: the memory itself may be gigabytes, and is never uploaded."""
    return _asset(folder, "memory", {"manifest.json": folder / "manifest.json"}, metadata=MemoryStore(folder).manifest)


def _asset(folder: Path, kind: str, files: Mapping[str, Path], **more: Any) -> Asset:  # noqa: ANN401
    return Asset("-".join(names_of(folder)), kind, files, **more)


def names_of(folder: Path) -> tuple[str, ...]:
    """Return the names by which Weights & Biases shows a folder of a run: that of the run, and the folders in it.

    Teachers and memories of earlier rounds are part of the run that they are trained for.
    """
    parts = folder.resolve().parts
    first = len(parts) - 2
    while parts[first] == EARLIER:
        first -= 1
    return parts[first:]


@contextmanager
def job_record(
    settings: FitSettings,
    run: Run,
    job: Literal["memory", "test", "export"],
    folder: Path,
    config: Mapping[str, Any],
) -> Iterator[SafeWandb | Silent]:
    """Open the record of a job that is no training, in its folder, and close it after the block."""
    tracker = make_tracker(folder, settings.tracking, names=names_of(run.folder / job), job=job, config=config)
    shown = tracker or Silent()
    yield shown
    shown.finalize("success")


def record_export(settings: FitSettings, run: Run, checkpoint: Path, files: Sequence[Path]) -> None:
    """Show in Weights & Biases that these files were exported from this checkpoint."""
    weights = [path for file in files if (path := file.with_suffix(".bin")).exists()]  # beside a .xml
    exported = _asset(run.folder / "export", "export", {file.name: file for file in (*files, *weights)})
    with job_record(settings, run, "export", files[0].parent, {"checkpoint": str(checkpoint)}) as tracker:
        tracker.use(checkpoint_asset(checkpoint))
        tracker.add(exported)


class StoredCheckpoints(pl.Callback):
    """Stores the checkpoints of a finished training in Weights & Biases.

    Args:
        folder: The stage's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Store ``best.ckpt`` and ``last.ckpt``."""
        for tracker in trackers_of(trainer.loggers):
            for path in (self.folder / "best.ckpt", self.folder / "last.ckpt"):
                if path.exists():
                    tracker.add(checkpoint_asset(path))
