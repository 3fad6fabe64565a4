"""The plan of a fit: what it will learn from, in how many steps, and, on request, how long that takes on this machine."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from time import perf_counter
from typing import Final

from rich.filesize import decimal

from weclick.data.datamodule import ClipDataModule
from weclick.inference.recorded import DONE
from weclick.memory.online import STRIDE, online_memory
from weclick.modules.base import SegmentationModule
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule
from weclick.pipeline.benchmark.train import finished, make_mode, wait
from weclick.pipeline.inputs import describe_targets, enough_epochs, run_data, steps_per_epoch
from weclick.pipeline.options import Stage
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.training import frozen

FEW_CLICKS: Final = 5
"""A class with fewer clicks is named, as hardly anything can be learned from them."""


def plan(settings: FitSettings, run: Run, stages: tuple[Stage, ...]) -> list[str]:
    """Return the lines that state what a fit does: frames, clicks by class, steps of each stage, disk.

    Args:
        settings: Parsed settings.
        run: Has its clicks.
        stages: Stages to run; those that the arm does not need are left out.
    """
    data = run_data(settings, run)
    return [
        f"trained from: {describe_targets(data)} of {len(data.dataset.layout.frames('train'))}",
        *_clicks(data),
        *(_stage(settings, run, data, stage) for stage in settings.needed_stages if stage in stages),
        f"disk: {_disk(settings, data, run)}",
    ]


def measured(settings: FitSettings, run: Run, stages: tuple[Stage, ...]) -> Iterator[str]:
    """Yield a line with the time that each stage takes, measured on a step or a frame; the last line has the sum.

    The networks are untrained and learn from labels only, so what other loss terms cost is not counted.
    """
    data, seconds = run_data(settings, run), 0.0
    for stage in settings.needed_stages:
        if stage in stages:
            each, count, unit = _measure(settings, data, stage)
            seconds += each * count
            yield f"{stage}: {each:.2g} s a {unit}, {duration(each * count)} in all"
    yield f"together about {duration(seconds)} on {settings.device}"


def duration(seconds: float) -> str:
    """Return a time in words.

    Example:
        >>> duration(40), duration(600), duration(7500)
        ('40 s', '10 min', '2 h 5 min')
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _clicks(data: ClipDataModule) -> Iterator[str]:
    if data.clicks is None:
        return
    counts = Counter(click.class_id for click in chain.from_iterable(data.clicks.clicks.values()))
    names = data.dataset.classes.names
    yield f"clicks: {counts.total()}: {', '.join(f'{names[c]} {n}' for c, n in counts.most_common())}"
    few = [names[class_id] for class_id, number in counts.items() if number < FEW_CLICKS]
    if few and not data.clicks.accepted:
        yield f"fewer than {FEW_CLICKS} clicks, so hardly learned: {', '.join(few)}"


def _stage(settings: FitSettings, run: Run, data: ClipDataModule, stage: Stage) -> str:
    if (run.stage(stage) / DONE).exists():
        return f"{stage}: finished"
    if stage == "memory":
        return (
            f"memory: soft labels of {len(data.memory_clips)} frames, {settings.data.clips.neighbours} neighbours each"
        )
    epochs, steps = _epochs(settings, data, stage), steps_per_epoch(settings, data)
    return f"{stage}: {epochs * steps} steps, {epochs} x {steps}, of {data.options.batch_size} frames each"


def _epochs(settings: FitSettings, data: ClipDataModule, stage: Stage) -> int:
    most: int = settings.trainer["max_epochs"]
    return enough_epochs(settings, data, (settings.teacher_epochs or most) if stage == "teacher" else most)


def _disk(settings: FitSettings, data: ClipDataModule, run: Run) -> str:
    free = decimal(shutil.disk_usage(run.folder).free)
    if "memory" not in settings.needed_stages:
        return f"{free} are free"
    cells = data.dataset.size[0] * data.dataset.size[1] / STRIDE**2
    most = len(data.memory_clips) * cells * (2 * len(data.dataset.classes) + 1)
    return f"the memory takes at most {decimal(round(most))}, {free} are free"


def _measure(settings: FitSettings, data: ClipDataModule, stage: Stage) -> tuple[float, int, str]:
    """Return the seconds that a step or frame takes, how many there are, and what they are called."""
    if stage == "memory":
        return _seconds_a_frame(settings, data), len(data.memory_clips), "frame"
    module = TeacherModule if stage == "teacher" else StudentModule
    return (
        _seconds_a_step(module, settings, data),
        _epochs(settings, data, stage) * steps_per_epoch(settings, data),
        "step",
    )


def _seconds_a_step(module: type[SegmentationModule], settings: FitSettings, data: ClipDataModule) -> float:
    mode = make_mode(module, settings, finished(data, settings.device))
    mode.step()  # the first one allocates
    begin = perf_counter()
    mode.step()
    wait(settings.device)
    return perf_counter() - begin


def _seconds_a_frame(settings: FitSettings, data: ClipDataModule) -> float:
    options = replace(settings.teacher, network=replace(settings.teacher.network, weights="none"))
    teacher = frozen(TeacherModule(data.dataset.classes.to_list(), data.dataset.size, options), settings.device)
    flow, neighbours = settings.make_flow(settings.device), settings.data.clips.neighbours
    [sample] = next(iter(data.frame_loader(data.memory_clips[:1])))
    target = (sample["image"].to(settings.device).float() / 255)[None]
    offsets = target.new_ones(1, neighbours).long()
    begin = perf_counter()
    online_memory(teacher, flow, target, target[:, None].expand(-1, neighbours, -1, -1, -1), offsets)
    wait(settings.device)
    return perf_counter() - begin
