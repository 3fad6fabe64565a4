"""The stage between teacher and student: building the memory, and handing it to the student."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from weclick.data.datamodule import ClipDataModule
from weclick.data.index import Clip, Frame, FrameKey
from weclick.data.recall import MemorySource, OnlineMemory, RestrictedMemory, StoredMemory
from weclick.data.samples import RawClip
from weclick.errors import DataError, RunError
from weclick.files import sha256
from weclick.flow.estimators import FlowEstimator, make_flow
from weclick.images import first_size
from weclick.memory import (
    PLAIN,
    Fusion,
    MemoryStore,
    SoftLabels,
    average_views,
    connect,
    items,
    places_on_grid,
    stream_memory,
)
from weclick.memory.online import Teacher
from weclick.modules import load_checkpoint
from weclick.pipeline.inputs import data_facts, opened_data, teacher_checkpoint
from weclick.pipeline.interrupt import SignalNote
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.training import frozen
from weclick.reporting.progress import progress_bar

Shard = tuple[int, int]
"""This process's part of the work, and the number of parts."""


def build_memory(settings: FitSettings, run: Run, shard: Shard | None = None) -> None:
    """Store what the frozen teacher knows about every target; items that are there already are kept.

    Raises:
        Interrupted: A signal came; the items made so far are stored.
    """
    data = opened_data(settings, run)
    store = MemoryStore(run.stage("memory"), memory_manifest(settings, run, data))
    found = data.remembered()
    part, parts = shard or _own_shard()
    # a part is a stretch of video, so that parts share few frames
    own = found[len(found) * part // parts : len(found) * (part + 1) // parts]
    missing = set(store.missing(clip.target.key for clip in own))
    short = sum(len(clip.neighbours) < data.neighbours for clip in found)
    rank_zero_info(
        f"memory: {len(missing)} of {len(found)} targets to do, flow {store.manifest['flow']}"
        + (f"; {short} have fewer than {data.neighbours} neighbours" if short else "")
    )
    together = _long_group()
    _store_items(settings, run, data, store, [clip for clip in own if clip.target.key in missing])
    if together is not None:
        torch.distributed.barrier(together)
    if not lacking(store, data):
        run.mark_done("memory", store.manifest)


def _store_items(settings: FitSettings, run: Run, data: ClipDataModule, store: MemoryStore, todo: list[Clip]) -> None:
    if not todo:
        return
    device = settings.device
    teacher = open_teacher(settings, run, data)
    found = recalls(data, todo, teacher, make_flow(settings.memory.flow, device), device, settings.memory.fusion)
    signals, known = SignalNote(), 0.0
    targets = {clip.target.key: clip.target for clip in todo}
    connectable = _fully_clicked(data) if settings.memory.connected else frozenset()
    with signals.listening(), progress_bar("memory") as show:
        for done, (key, recall) in enumerate(found, start=1):
            if key in connectable:
                recall = _connected(data, targets[key], recall)
            (item,) = items(recall)
            store.write(key, item)
            known += float((item.confidence > 0).mean()) / len(todo)
            show(done, len(todo))
            signals.raise_if_any()
    rank_zero_info(f"memory: knows something about {known:.0%} of the pixels")


def _fully_clicked(data: ClipDataModule) -> frozenset[FrameKey]:
    """Return the targets on which every region has its click."""
    if data.supervision == "masks" or data.clicks_per_frame is not None:
        return frozenset()
    return frozenset(data.clicks.keys() - data.unfinished)


def _connected(data: ClipDataModule, target: Frame, recall: SoftLabels) -> SoftLabels:
    """Keep what hangs together with the target's clicks."""
    size = data.clicked_sizes.get(target.key) or first_size([target.image])
    grid = (recall.teacher.shape[-2], recall.teacher.shape[-1])
    return connect(recall, places_on_grid([(c.x, c.y, c.class_id) for c in data.clicks[target.key]], size, grid))


def open_teacher(settings: FitSettings, run: Run, data: ClipDataModule) -> Teacher:
    """Load the teacher the memory is made with, frozen; with ``memory.views`` it looks at several views of a frame."""
    module = load_checkpoint(teacher_checkpoint(settings, run), stage="teacher", classes=data.classes)
    network = frozen(module, settings.device)
    return average_views(network) if settings.memory.views else network


def recalls(
    data: ClipDataModule,
    clips: list[Clip],
    teacher: Teacher,
    flow: FlowEstimator,
    device: torch.device,
    fusion: Fusion = PLAIN,
) -> Iterator[tuple[FrameKey, SoftLabels]]:
    """Yield target and recall of clips, in order; damaged frames are counted and left out."""
    frames = frames_of(data, clips, device, lambda damaged: data.count_damaged(list(damaged.values())))
    return stream_memory(teacher, flow, frames, wanted_by(clips), count=data.neighbours, fusion=fusion)


def wanted_by(clips: list[Clip]) -> dict[FrameKey, list[FrameKey]]:
    """Return the neighbours of each target."""
    return {clip.target.key: [frame.key for frame in clip.neighbours] for clip in clips}


def frames_of(
    data: ClipDataModule, clips: list[Clip], device: torch.device, on_damaged: Callable[[dict[FrameKey, str]], None]
) -> Iterator[dict[FrameKey, Tensor | None]]:
    """Yield the frames of clips in batches for the teacher, None for damaged ones; tell what is wrong with these."""
    # on a CPU a frame of a batch takes longer than one alone; and so an item depends on its clip only
    batch_size = 1 if device.type == "cpu" else max(data.batch_size // 2, 1)
    for samples in data.clip_loader(clips, batch_size):
        on_damaged({s["key"]: s["damaged"] for s in samples if "damaged" in s})
        yield {s["key"]: s["image"].to(device) if "image" in s else None for s in samples}


def lacking(store: MemoryStore, data: ClipDataModule) -> list[Clip]:
    """Return the clips a store should hold and does not; those with an unreadable target it cannot hold."""
    found = data.remembered()
    missing = set(store.missing(clip.target.key for clip in found))
    return [clip for clip in found if clip.target.key in missing and _readable(data, clip)]


def _readable(data: ClipDataModule, clip: Clip) -> bool:
    try:
        data.reader.image(clip.target)
    except DataError:
        return False
    return True


def memory_facts(settings: FitSettings, run: Run, data: ClipDataModule) -> dict[str, Any]:
    """Return what a student's soft labels come from; nothing for arms without a teacher."""
    if not settings.needs_teacher:
        return {}
    online = settings.memory.mode == "online"
    made = memory_manifest(settings, run, data) if online else _open_store(settings, run).manifest
    return {"memory": {**made, "mode": settings.memory.mode, "restricted": settings.memory.restricted}}


def recall_source(settings: FitSettings, run: Run, data: ClipDataModule) -> MemorySource | None:
    """Return where the student's recall comes from; None for arms that need none.

    Raises:
        RunError: The stored memory is missing or incomplete.
    """
    if not settings.needs_teacher:
        return None
    source = _online(settings, run, data) if settings.memory.mode == "online" else _stored(settings, run, data)
    return RestrictedMemory(source) if settings.memory.restricted else source


def _online(settings: FitSettings, run: Run, data: ClipDataModule) -> MemorySource:
    flow = make_flow(settings.memory.flow, settings.device)
    read = RawClip(data.reader, data.neighbours)
    return OnlineMemory(open_teacher(settings, run, data), flow, read, settings.memory.fusion)


def _stored(settings: FitSettings, run: Run, data: ClipDataModule) -> MemorySource:
    store = _open_store(settings, run)
    missing = lacking(store, data)
    if missing:
        raise RunError(f"the memory in {store.folder} lacks {len(missing)} targets; finish it with --stage memory")
    return StoredMemory(store)


def _open_store(settings: FitSettings, run: Run) -> MemoryStore:
    return MemoryStore(Path(settings.memory.folder) if settings.memory.folder else run.stage("memory"))


def memory_manifest(settings: FitSettings, run: Run, data: ClipDataModule) -> dict[str, Any]:
    """Return what a memory depends on: teacher, flow method, clips and their size."""
    return {
        "version": 2,
        "teacher": sha256(teacher_checkpoint(settings, run)),
        "flow": make_flow(settings.memory.flow, settings.device).name,
        "views": settings.memory.views,
        "connected": settings.memory.connected,
        "fusion": asdict(settings.memory.fusion),
        "size": list(data.size),
        "neighbours": [data.neighbours, data.stride, data.sides],
        "data": data_facts(settings, data).get("clicks"),
        "classes": list(data.classes.names),
    }


def _long_group() -> torch.distributed.ProcessGroup | None:
    """Return a group in which processes may wait for one another for days, where a GPU's own gives up after minutes."""
    if not torch.distributed.is_initialized():
        return None
    return cast(torch.distributed.ProcessGroup, torch.distributed.new_group(backend="gloo", timeout=timedelta(days=7)))


def _own_shard() -> Shard:
    if torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
