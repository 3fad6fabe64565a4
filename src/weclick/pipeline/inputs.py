"""What a stage starts from: its data, and the teacher."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from weclick.clicks import ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.errors import RunError
from weclick.inference.checkpoint import is_whole
from weclick.pipeline.clicks import take_clicks
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings

_NOT_FOR_TEACHERS: Final = ("neighbours", "stride", "sides", "workers")
"""Options of the data that a teacher's training does not depend on, unless clicks are carried to neighbours."""


def opened_data(settings: FitSettings, run: Run) -> ClipDataModule:
    """Return a data module that knows the run's clicks, or its masks for the fully supervised arm."""
    take_clicks(settings, run)
    data = settings.make_data()
    if run.clicks.exists():
        data.clicks_path = run.clicks
    elif data.supervision == "clicks":  # a run of before runs had clicks of their own
        data.open_clicks(run.clicks)
    return data


def teacher_needs(settings: FitSettings) -> dict[str, Any]:
    """Return the settings a teacher depends on; what only concerns the memory is not among them."""
    left_out = ("workers",) if settings.data.get("carried") else _NOT_FOR_TEACHERS
    data = {name: value for name, value in settings.data.items() if name not in left_out}
    epochs = settings.teacher_epochs or settings.trainer["max_epochs"]
    needs = {"teacher": settings.teacher, "epochs": epochs, "data": data, "seed": settings.seed}
    if settings.teacher_rounds == 1:
        return needs
    data = {**settings.data, "workers": None}
    return {**needs, "rounds": settings.teacher_rounds, "memory": _kept(settings), "data": data}


def memory_needs(settings: FitSettings) -> dict[str, Any]:
    """Return the settings the memory of a teacher depends on."""
    data = {**settings.data, "workers": None}
    return {"teacher": settings.teacher_checkpoint, "memory": _kept(settings), "data": data}


def _kept(settings: FitSettings) -> dict[str, Any]:
    """Return the options of the memory that change what is stored."""
    options = asdict(settings.memory).items()
    return {name: value for name, value in options if name not in ("mode", "folder", "restricted")}


def earlier_round(run: Run) -> Run:
    """Return the run, inside a run, that holds teacher and memory of the round before."""
    return Run(run.folder / "earlier")


def data_facts(settings: FitSettings, data: ClipDataModule) -> dict[str, Any]:
    """Return what makes two trainings on this data comparable: settings, seed, classes, training frames, clicks."""
    frames = json.dumps([clip.target.key for clip in data.clips()])
    facts = {
        "data": settings.data,
        "seed": settings.seed,
        "classes": list(data.classes.names),
        "frames": hashlib.sha256(frames.encode()).hexdigest()[:16],
    }
    if data.supervision == "clicks" and data.clicks_path is not None:
        with ClickStore(data.clicks_path, data.classes, readonly=True) as store:
            facts["clicks"] = store.fingerprint()
    return facts


def teacher_facts(settings: FitSettings, data: ClipDataModule) -> dict[str, Any]:
    """Return what makes two teachers' trainings comparable."""
    return {**data_facts(settings, data), **teacher_needs(settings)}


def teacher_checkpoint(settings: FitSettings, run: Run) -> Path:
    """Return the teacher to use: the given one, or the run's last.

    Not the run's best: that was chosen by validation masks, which weak training must not profit from.

    Raises:
        RunError: There is none yet, or it is damaged.
    """
    path = Path(settings.teacher_checkpoint) if settings.teacher_checkpoint else run.checkpoint("teacher", "last")
    if not path.exists():
        raise RunError(f"no teacher at {path}; train it first (--stage teacher), or name one with --teacher_checkpoint")
    if not is_whole(path):
        raise RunError(
            f"the teacher {path} is damaged; put it back, delete the run's teacher folder to train it anew, or name one "
            "with --teacher_checkpoint"
        )
    return path
