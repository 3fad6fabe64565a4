"""The stage between teacher and student: building the memory, and supplying it to the student."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from weclick.conventions import FrameKey, places_on_grid
from weclick.data.datamodule import ClipDataModule
from weclick.data.dataset import DataSet
from weclick.data.index import Clip, Frame
from weclick.data.supplies import OnlineMemory, StoredMemory
from weclick.data.supply import Supply
from weclick.errors import DataError, RunError
from weclick.flow.estimators import FlowEstimator
from weclick.images import first_size
from weclick.inference.checkpoint import weights_id
from weclick.inference.rules import choose_precision
from weclick.machine import map_beside
from weclick.memory.connect import connect
from weclick.memory.item import MemoryItem, quantise
from weclick.memory.online import SoftLabels, Teacher
from weclick.memory.options import PLAIN, Fusion
from weclick.memory.refine import refine
from weclick.memory.store import MemoryStore
from weclick.memory.stream import stream_memory
from weclick.memory.views import average_views
from weclick.models.fold import fold_normalisation
from weclick.modules.checkpoint import load_checkpoint
from weclick.pipeline.environment import record_environment
from weclick.pipeline.inputs import data_facts, run_data, teacher_checkpoint
from weclick.pipeline.interrupt import SignalNote
from weclick.pipeline.processes import in_step, own_share, wait_for_all
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.tracking import checkpoint_asset, job_record, memory_asset
from weclick.pipeline.training import frozen
from weclick.reporting.progress import progress_bar

Shard = tuple[int, int]
"""This process's part of the work, and the number of parts."""


def build_memory(settings: FitSettings, run: Run, shard: Shard | None = None) -> None:
    """Store the frozen teacher's soft labels of every target; items that exist already are kept.

    Raises:
        Interrupted: A signal was received; the items built so far are stored.
    """
    data = run_data(settings, run)
    store = MemoryStore(run.stage("memory"), memory_manifest(settings, run, data))
    clips = data.memory_clips
    part = _stretch(clips, *(shard or (0, 1)))
    missing = set(store.missing(clip.target.key for clip in part))
    wait_for_all()  # before one writes: all must divide the same targets
    own = _stretch([clip for clip in part if clip.target.key in missing], *own_share())
    wanted = data.options.clips.neighbours
    short = sum(len(clip.neighbours) < wanted for clip in clips)
    rank_zero_info(
        f"memory: {len(missing)} of {len(clips)} targets to do, flow {store.manifest['flow']}"
        + (f"; {short} have fewer than {wanted} neighbours" if short else "")
    )
    if own:
        record_environment(settings, store.folder)
    signals, covered = SignalNote(), 0.0
    with signals.listening(), progress_bar("memory") as show:
        for done, share in enumerate(in_step(_store_items(settings, run, data, store, own), signals), start=1):
            covered += share / len(own)
            show(done, len(own))
    if own:
        rank_zero_info(f"memory: covers {covered:.0%} of the pixels")
    if not missing_clips(store, data):
        run.mark_done("memory", store.manifest)
        if missing:
            _record(settings, run, store)


def _record(settings: FitSettings, run: Run, store: MemoryStore) -> None:
    """Show in Weights & Biases that this memory was made with this teacher."""
    with job_record(settings, run, "memory", store.folder, store.manifest) as tracker:
        tracker.use(checkpoint_asset(teacher_checkpoint(settings, run)))
        tracker.add(memory_asset(store.folder))


def _stretch(clips: list[Clip], part: int, parts: int) -> list[Clip]:
    """Return one part of clips: a contiguous stretch of video, so that few frames are read by two processes."""
    return clips[len(clips) * part // parts : len(clips) * (part + 1) // parts]


def _store_items(
    settings: FitSettings, run: Run, data: ClipDataModule, store: MemoryStore, todo: list[Clip]
) -> Generator[float, None, None]:
    """Build and store the items of clips; yield the share of pixels that each covers."""
    if not todo:
        return
    device = settings.device
    teacher = open_teacher(settings, run, data.dataset)
    flow = settings.make_flow(device, choose_precision("auto", device))
    by_clicks = click_rule(settings, data, todo)

    def finish(pair: tuple[FrameKey, MemoryItem]) -> float:
        item = by_clicks(*pair)
        store.write(pair[0], item)
        return float((item.confidence > 0).mean())

    soft_labels = stream_soft_labels(data, todo, teacher, flow, device, settings.memory.fusion)
    items = ((key, quantise(soft)[0]) for key, soft in soft_labels)
    # a CPU has no time beside teacher and flow
    yield from map_beside(finish, items, 0 if device.type == "cpu" else max(1, data.workers))


def click_rule(
    settings: FitSettings, data: ClipDataModule, todo: list[Clip]
) -> Callable[[FrameKey, MemoryItem], MemoryItem]:
    """Return a function that changes a target's item by its clicks, as the settings want: connects it, and refines it."""
    targets, chosen = {clip.target.key: clip.target for clip in todo}, settings.memory
    clicks = data.clicks if chosen.by_clicks else None

    def clicked(key: FrameKey, item: MemoryItem) -> MemoryItem:
        if clicks is None or key not in clicks.complete:
            return item
        size = clicks.sizes.get(key) or first_size([targets[key].image])
        places = places_on_grid(clicks.clicks[key], size, (item.teacher.shape[1], item.teacher.shape[2]))
        if chosen.connected:
            item = connect(item, places)
        return refine(item, data.dataset.reader.image(targets[key]), places) if chosen.refined else item

    return clicked


def open_teacher(settings: FitSettings, run: Run, dataset: DataSet) -> Teacher:
    """Load the teacher that the memory is built with, frozen; with ``memory.views`` it averages several views of a frame."""
    module = load_checkpoint(teacher_checkpoint(settings, run), stage="teacher", classes=dataset.classes)
    network = in_device_precision(fold_normalisation(frozen(module, settings.device)), settings.device)
    return average_views(network) if settings.memory.views else network


def in_device_precision(teacher: Teacher, device: torch.device) -> Teacher:
    """Return a teacher that runs in the device's number format, by the rule of ``predict``; its own where that is fp32."""
    if choose_precision("auto", device) == "fp32":
        return teacher

    def logits(images: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return teacher(images)

    return logits


def stream_soft_labels(
    data: ClipDataModule,
    clips: list[Clip],
    teacher: Teacher,
    flow: FlowEstimator,
    device: torch.device,
    fusion: Fusion = PLAIN,
) -> Iterator[tuple[FrameKey, SoftLabels]]:
    """Yield target and soft labels of clips, in order; damaged frames are counted and skipped."""
    frames = frame_batches(data, clips, device, lambda damaged: data.count_damaged(list(damaged.values())))
    return stream_memory(
        teacher, flow, frames, neighbour_keys(clips), count=data.options.clips.neighbours, fusion=fusion
    )


def neighbour_keys(clips: list[Clip]) -> dict[FrameKey, list[FrameKey]]:
    """Return the neighbours of each target."""
    return {clip.target.key: [frame.key for frame in clip.neighbours] for clip in clips}


def frame_batches(
    data: ClipDataModule, clips: list[Clip], device: torch.device, on_damaged: Callable[[dict[FrameKey, str]], None]
) -> Iterator[dict[FrameKey, Tensor | None]]:
    """Yield the frames of clips in batches for the teacher, None for damaged ones, whose messages go to ``on_damaged``."""
    # on a CPU a frame takes longer in a batch than alone; and alone, an item depends on its clip only
    batch_size = 1 if device.type == "cpu" else max(data.options.batch_size // 2, 1)
    for samples in data.frame_loader(clips, batch_size):
        on_damaged({s["key"]: s["damaged"] for s in samples if "damaged" in s})
        yield {s["key"]: s["image"].to(device) if "image" in s else None for s in samples}


def missing_clips(store: MemoryStore, data: ClipDataModule) -> list[Clip]:
    """Return the clips without an item in a store, except those whose target is unreadable: they get none."""
    missing = set(store.missing(clip.target.key for clip in data.memory_clips))
    return [
        clip for clip in data.memory_clips if clip.target.key in missing and _is_readable(data.dataset, clip.target)
    ]


def _is_readable(dataset: DataSet, frame: Frame) -> bool:
    try:
        dataset.reader.image(frame)
    except DataError:
        return False
    return True


def memory_facts(settings: FitSettings, run: Run, data: ClipDataModule) -> dict[str, Any]:
    """Return the origin of a student's soft labels, to compare two trainings by; nothing for arms without a teacher."""
    if not settings.needs_teacher:
        return {}
    online = settings.memory.mode == "online"
    made = memory_manifest(settings, run, data) if online else _open_store(settings, run).manifest
    return {"memory": {**made, "mode": settings.memory.mode, "restricted": settings.memory.restricted}}


def memory_supply(settings: FitSettings, run: Run) -> Supply:
    """Return the supply of soft labels: the stored memory, or teacher and flow run in every step.

    Raises:
        RunError: There is no stored memory, or no teacher.
    """
    options, dataset = settings.memory, settings.dataset
    if options.mode == "stored":
        return StoredMemory(_open_store(settings, run), options.restricted)
    return OnlineMemory(
        open_teacher(settings, run, dataset),
        settings.make_flow(settings.device),
        dataset.reader,
        settings.data.clips.neighbours,
        options.fusion,
        options.restricted,
    )


def refuse_incomplete_memory(settings: FitSettings, run: Run, data: ClipDataModule) -> None:
    """Refuse to train from an incomplete stored memory.

    Raises:
        RunError: It lacks items.
    """
    if settings.memory.mode == "stored":
        store = _open_store(settings, run)
        if missing := missing_clips(store, data):
            raise RunError(f"the memory in {store.folder} lacks {len(missing)} targets; finish it with --stage memory")


def _open_store(settings: FitSettings, run: Run) -> MemoryStore:
    return MemoryStore(Path(settings.memory.folder) if settings.memory.folder else run.stage("memory"))


def memory_manifest(settings: FitSettings, run: Run, data: ClipDataModule) -> dict[str, Any]:
    """Return everything a memory depends on: teacher, flow method, clips and their size, options."""
    return {
        "teacher": weights_id(teacher_checkpoint(settings, run)),
        "flow": settings.flow_name(settings.device),
        "views": settings.memory.views,
        "connected": settings.memory.connected,
        "refined": settings.memory.refined,
        "fusion": asdict(settings.memory.fusion),
        "size": list(data.dataset.size),
        "clips": asdict(settings.data.clips),
        "data": data_facts(settings, data).get("clicks"),
        "classes": list(data.dataset.classes.names),
    }
