"""The whole pipeline: teacher, memory, student; finished stages are reused, interrupted ones go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_info
from rich.progress import track

from weclick.data.clicks import ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.data.dataset import RawClip
from weclick.data.index import Clip
from weclick.data.recall import OnlineRecall, RecallSource, StoredRecall
from weclick.errors import ConfigError, DataError, RunError
from weclick.files import sha256
from weclick.flow.estimators import FlowEstimator, make_flow
from weclick.memory import MemoryStore, items, remember
from weclick.modules import StudentModule, TeacherModule, load_checkpoint
from weclick.pipeline.run import Run, Stage
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.training import frozen, train
from weclick.processes import process_rank

Shard = tuple[int, int]
"""This process's part of the work, and the number of parts."""


def check(settings: FitSettings) -> None:
    """Refuse a bad data set, teacher or memory before anything is written."""
    classes = settings.make_data().classes
    if settings.method.needs_teacher and settings.teacher_checkpoint is not None:
        load_checkpoint(settings.teacher_checkpoint, stage="teacher", classes=classes)
    if settings.method.needs_teacher and settings.memory.folder is not None:
        MemoryStore(Path(settings.memory.folder))


def fit(settings: FitSettings, run: Run, stages: tuple[Stage, ...], shard: Shard | None = None) -> None:
    """Do the stages an arm needs, in order, into a run.

    Args:
        settings: Parsed settings.
        run: Where everything goes.
        stages: Stages asked for; those the arm does not need are left out.
        shard: Build only this part of the memory.

    Raises:
        RunError: An earlier stage that is needed is missing.
    """
    needed: tuple[Stage, ...] = ("teacher", "memory", "student") if settings.method.needs_teacher else ("student",)
    if settings.memory.mode == "online" or settings.memory.folder is not None:
        needed = tuple(stage for stage in needed if stage != "memory")
    unneeded = [stage for stage in stages if stage not in needed]
    if unneeded == list(stages):
        raise ConfigError(
            f"arm {settings.arm} with memory.mode {settings.memory.mode} has no {', '.join(stages)} stage"
        )
    for stage in needed:
        if stage in stages:
            pl.seed_everything(settings.seed, workers=True, verbose=False)
            _DO[stage](settings, run, shard)


def fit_teacher(settings: FitSettings, run: Run, shard: Shard | None = None) -> None:
    """Train the teacher from clicks, unless one is given."""
    if settings.teacher_checkpoint is not None:
        rank_zero_info(f"teacher: {settings.teacher_checkpoint}")
        return
    data = opened_data(settings, run)
    epochs = settings.teacher_epochs or settings.trainer["max_epochs"]
    facts = {"teacher": settings.teacher, "epochs": epochs, **data_facts(settings, data)}
    if run.is_done("teacher", facts):
        rank_zero_info(f"teacher: finished in {run.stage('teacher')}")
        return
    rank_zero_info(f"teacher: {len(data.clips())} clicked frames, {epochs} epochs")
    train(TeacherModule(data.classes.to_list(), data.size, **settings.teacher), data, run, settings, epochs)
    run.mark_done("teacher", facts)


def build_memory(settings: FitSettings, run: Run, shard: Shard | None = None) -> None:
    """Store what the frozen teacher knows about every target; items that are there already are kept."""
    data = opened_data(settings, run)
    store = MemoryStore(run.stage("memory"), memory_manifest(settings, run, data))
    found = data.clips()
    part, parts = shard or _own_shard()
    missing = set(store.missing(clip.target.key for clip in found[part::parts]))
    short = sum(len(clip.neighbours) < data.neighbours for clip in found)
    rank_zero_info(
        f"memory: {len(missing)} of {len(found)} targets to do, flow {store.manifest['flow']}"
        + (f"; {short} have fewer than {data.neighbours} neighbours" if short else "")
    )
    _store_items(settings, run, data, store, [clip for clip in found if clip.target.key in missing])
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    if not lacking(store, data):
        run.mark_done("memory", store.manifest)


def _store_items(settings: FitSettings, run: Run, data: ClipDataModule, store: MemoryStore, todo: list[Clip]) -> None:
    if not todo:
        return
    device = settings.device
    teacher = frozen(load_checkpoint(teacher_checkpoint(settings, run), stage="teacher", classes=data.classes), device)
    flow = make_flow(settings.memory.flow, device)
    loader = data.clip_loader(todo)
    shown = track(loader, "memory", disable=process_rank() > 0 or not sys.stderr.isatty(), transient=True)
    for batch in shown:
        data.count_damaged(batch["damaged"])
        if not batch["key"]:
            continue
        target, neighbours = (batch[name].to(device).float() / 255 for name in ("target", "neighbours"))
        recall = remember(teacher, flow, target, neighbours, batch["offsets"].to(device))
        for key, item in zip(batch["key"], items(recall), strict=True):
            store.write(key, item)


def lacking(store: MemoryStore, data: ClipDataModule) -> list[Clip]:
    """Return the clips a store should hold and does not; those with an unreadable target it cannot hold."""
    missing = set(store.missing(clip.target.key for clip in data.clips()))
    return [clip for clip in data.clips() if clip.target.key in missing and _readable(data, clip)]


def _readable(data: ClipDataModule, clip: Clip) -> bool:
    try:
        data.reader.image(clip.target)
    except DataError:
        return False
    return True


def fit_student(settings: FitSettings, run: Run, shard: Shard | None = None) -> None:
    """Train the student by its arm."""
    data = opened_data(settings, run)
    epochs = settings.trainer["max_epochs"]
    facts = {"arm": settings.arm, "student": settings.student, "epochs": epochs, **data_facts(settings, data)}
    if run.is_done("student", facts):
        rank_zero_info(f"student: finished in {run.stage('student')}")
        return
    data.recall = recall_source(settings, run, data)
    rank_zero_info(f"student: arm {settings.arm}, {len(data.clips())} frames, {epochs} epochs")
    train(
        StudentModule(data.classes.to_list(), data.size, arm=settings.arm, **settings.student),
        data,
        run,
        settings,
        epochs,
    )
    run.mark_done("student", facts)


_DO = {"teacher": fit_teacher, "memory": build_memory, "student": fit_student}


def recall_source(settings: FitSettings, run: Run, data: ClipDataModule) -> RecallSource | None:
    """Return where the student's recall comes from; None for arms that need none.

    Raises:
        RunError: The stored memory is missing or incomplete.
    """
    if not settings.method.needs_teacher:
        return None
    if settings.memory.mode == "online":
        device = settings.device
        teacher = load_checkpoint(teacher_checkpoint(settings, run), stage="teacher", classes=data.classes)
        flow: FlowEstimator = make_flow(settings.memory.flow, device)
        return OnlineRecall(frozen(teacher, device), flow, RawClip(data.reader, data.neighbours))
    store = MemoryStore(Path(settings.memory.folder) if settings.memory.folder else run.stage("memory"))
    missing = lacking(store, data)
    if missing:
        raise RunError(f"the memory in {store.folder} lacks {len(missing)} targets; finish it with --stage memory")
    return StoredRecall(store)


def opened_data(settings: FitSettings, run: Run) -> ClipDataModule:
    """Return a data module that knows its clicks, or its masks for the fully supervised arm."""
    data = settings.make_data()
    if settings.method.supervision == "masks":
        data.supervision = "masks"
    else:
        known = run.clicks.exists()
        path = data.open_clicks(run.clicks)
        if path == run.clicks and not known:
            with ClickStore(path, data.classes, readonly=True) as store:
                count = sum(map(len, store.all_clicks().values()))
            rank_zero_info(f"no clicks in {data.root}: simulated {count} from its masks into {path}")
    return data


def data_facts(settings: FitSettings, data: ClipDataModule) -> dict[str, Any]:
    """Return what makes two trainings on this data comparable: settings, seed, classes, clicks."""
    facts = {"data": {**settings.data, "workers": None}, "seed": settings.seed, "classes": list(data.classes.names)}
    if settings.method.supervision == "clicks" and data.clicks_path is not None:
        with ClickStore(data.clicks_path, data.classes, readonly=True) as store:
            facts["clicks"] = store.fingerprint()
    return facts


def memory_manifest(settings: FitSettings, run: Run, data: ClipDataModule) -> dict[str, Any]:
    """Return what a memory depends on: teacher, flow method, clips and their size."""
    return {
        "version": 1,
        "teacher": sha256(teacher_checkpoint(settings, run)),
        "flow": make_flow(settings.memory.flow, settings.device).name,
        "size": list(data.size),
        "neighbours": [data.neighbours, data.stride, data.sides],
        "data": data_facts(settings, data).get("clicks"),
        "classes": list(data.classes.names),
    }


def teacher_checkpoint(settings: FitSettings, run: Run) -> Path:
    """Return the teacher to use: the given one, or the run's last.

    Not the run's best: that was chosen by validation masks, which weak training must not profit from.

    Raises:
        RunError: There is none yet.
    """
    path = Path(settings.teacher_checkpoint) if settings.teacher_checkpoint else run.checkpoint("teacher", "last")
    if not path.exists():
        raise RunError(f"no teacher at {path}; train it first (--stage teacher), or name one with --teacher_checkpoint")
    return path


def _own_shard() -> Shard:
    if torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
