"""The inputs of a stage: its data and its teacher, and what identifies them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any, Final

from weclick.clicks import ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.data.supply import Supply
from weclick.errors import RunError
from weclick.inference.checkpoint import is_whole
from weclick.pipeline.clicks import take_clicks
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings

EARLIER: Final = "earlier"
"""Folder of the previous round of teachers in a run."""

_STORED: Final = ("flow", "views", "fusion", "connected", "refined")
"""Options of the memory that change what is stored."""


def run_data(settings: FitSettings, run: Run, supplies: tuple[Supply, ...] = ()) -> ClipDataModule:
    """Return a data module with the run's own clicks, or with masks for the fully supervised arm."""
    take_clicks(settings, run)
    return settings.make_data(clicks=run.clicks if run.clicks.exists() else None, supplies=supplies)


def teacher_needs(settings: FitSettings) -> dict[str, Any]:
    """Return the settings a teacher depends on, without those of the memory."""
    needs: dict[str, Any] = {
        "teacher": asdict(settings.teacher),
        "epochs": settings.teacher_epochs or settings.trainer["max_epochs"],
        "data": _data_options(settings),
        "seed": settings.seed,
    }
    if "neighbour" in settings.teacher.needs:
        needs["flow"] = settings.memory.flow
    if settings.teacher_rounds > 1:
        return {**needs, "rounds": settings.teacher_rounds, "memory": _stored_options(settings)}
    # otherwise neighbours are read only to carry clicks to them, or to compare a target with them
    if not settings.data.draws.carried and "neighbour" not in settings.teacher.needs:
        needs["data"].pop("clips")
    return needs


def memory_needs(settings: FitSettings) -> dict[str, Any]:
    """Return the settings the memory of a teacher depends on."""
    return {
        "teacher": settings.teacher_checkpoint,
        "memory": _stored_options(settings),
        "data": _data_options(settings),
    }


def _data_options(settings: FitSettings) -> dict[str, Any]:
    """Return the options of the data, without those that change no sample of a run that has its clicks."""
    options = asdict(settings.data)
    del options["workers"], options["clicks"]["held_out"]
    return options


def _stored_options(settings: FitSettings) -> dict[str, Any]:
    options = asdict(settings.memory)
    return {name: options[name] for name in _STORED}


def earlier_round(run: Run) -> Run:
    """Return the run, inside a run, that holds teacher and memory of the previous round."""
    return Run(run.folder / EARLIER)


def data_facts(settings: FitSettings, data: ClipDataModule) -> dict[str, Any]:
    """Return what must be equal to resume a training on this data: settings, seed, classes, training frames, clicks."""
    frames = json.dumps([clip.target.key for clip in data.clips])
    facts: dict[str, Any] = {
        "data": _data_options(settings),
        "seed": settings.seed,
        "classes": list(data.dataset.classes.names),
        "frames": hashlib.sha256(frames.encode()).hexdigest()[:16],
    }
    if data.clicks is not None and data.clicks.store is not None:
        with ClickStore(data.clicks.store, data.dataset.classes, readonly=True) as store:
            facts["clicks"] = store.fingerprint()
    return facts


def teacher_facts(settings: FitSettings, data: ClipDataModule) -> dict[str, Any]:
    """Return what must be equal to resume a teacher's training."""
    needs = teacher_needs(settings)
    return {**data_facts(settings, data), **needs, "epochs": enough_epochs(settings, data, needs["epochs"])}


def enough_epochs(settings: FitSettings, data: ClipDataModule, epochs: int) -> int:
    """Return the number of epochs, or more where few training frames would else make fewer than ``trainer.min_steps`` steps."""
    return max(epochs, ceil((settings.trainer.get("min_steps") or 0) / steps_per_epoch(settings, data)))


def describe_targets(data: ClipDataModule) -> str:
    """Return how many frames a training learns from and, of clicked ones, how many are not done."""
    unfinished = len(data.clicks.unfinished) if data.clicks is not None else 0
    note = f" ({unfinished} clicked but not done: no class counts as absent there)" if unfinished else ""
    return f"{len(data.clips)} frames{note}"


def steps_per_epoch(settings: FitSettings, data: ClipDataModule) -> int:
    """Return the steps of an epoch: it has every frame, unless ``trainer.limit_train_batches``, a number or a share, is less."""
    accumulated = settings.trainer.get("accumulate_grad_batches") or 1
    batches = accumulated * ceil(len(data.clips) / data.options.batch_size)
    limit = settings.trainer.get("limit_train_batches") or batches
    return ceil((int(batches * limit) if isinstance(limit, float) else min(batches, limit)) / accumulated) or 1


def teacher_checkpoint(settings: FitSettings, run: Run) -> Path:
    """Return the teacher to use: the given one, or the run's last.

    Not the run's best, as that is chosen by validation masks, and training must not use masks.

    Raises:
        RunError: There is none yet, or it is damaged.
    """
    path = Path(settings.teacher_checkpoint) if settings.teacher_checkpoint else run.checkpoint("teacher", "last")
    if not path.exists():
        raise RunError(f"no teacher at {path}; train it first (--stage teacher), or name one with --teacher_checkpoint")
    if not is_whole(path):
        raise RunError(
            f"the teacher {path} is damaged; put it back, delete the run's teacher folder to train it again, or name one "
            "with --teacher_checkpoint"
        )
    return path
