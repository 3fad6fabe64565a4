"""Items per second of building the memory, and where the time goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final, TypeVar

import torch

from weclick.data.datamodule import ClipDataModule
from weclick.data.index import Clip
from weclick.errors import ConfigError
from weclick.flow.estimators import FlowEstimator
from weclick.inference.rules import choose_precision
from weclick.memory.item import quantise
from weclick.memory.online import Teacher
from weclick.memory.store import MemoryStore
from weclick.memory.stream import stream_memory
from weclick.models.fold import fold_normalisation
from weclick.modules.teacher import TeacherModule
from weclick.pipeline.inputs import run_data
from weclick.pipeline.memory import click_rule, frame_batches, in_device_precision, neighbour_keys, open_teacher
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.training import frozen
from weclick.reporting.benchmark import BenchmarkTable, Cell

T = TypeVar("T")

STAGES: Final = ("decode", "teacher", "flow", "carry and fuse", "connect and refine", "write")


@dataclass
class Stopwatch:
    """Seconds by stage; a stage that runs inside another is not counted twice."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _inner: list[float] = field(default_factory=lambda: [0.0])

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage, with what a GPU computes in it."""
        self._inner.append(0.0)
        begin = perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        spent = perf_counter() - begin
        self.seconds[stage] += spent - self._inner.pop()
        self._inner[-1] += spent

    def timed(self, stage: str, work: Callable[..., T]) -> Callable[..., T]:
        """Return a function whose time is added."""

        def run(*arguments: object) -> T:
            with self.timing(stage):
                return work(*arguments)

        return run

    def each(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Yield items; the time to compute each is added."""
        iterator = iter(items)
        while True:
            with self.timing(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item


def benchmark_memory(
    settings: FitSettings,
    scratch: Path,
    *,
    rounds: int = 3,
    targets: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkTable:
    """Build the memory of a few targets again and again, and time every stage.

    The stages follow each other here, so that their times add up; on a GPU a build connects and writes beside the device.
    The teacher is that of ``teacher_checkpoint``, or untrained, which takes as long.

    Args:
        settings: Parsed settings of a fit.
        scratch: Folder for clicks and items of the benchmark.
        rounds: Builds.
        targets: Targets of each, consecutive.
        progress: Called with (builds done, builds in all).

    Raises:
        ConfigError: The data set has no target.
    """
    run = Run(scratch / "run")
    data, device = run_data(settings, run), settings.device
    clips = data.memory_clips[:targets]
    if not clips:
        raise ConfigError(f"{data.dataset.root} has no training frame to build a memory for")
    teacher = _teacher(settings, run, data)
    flow = settings.make_flow(device, choose_precision("auto", device))
    watches = []
    for number in range(rounds):
        watches.append(_build(settings, data, clips, MemoryStore(scratch / f"{number}", {}), teacher, flow))
        if progress is not None:
            progress(number + 1, rounds)
    return BenchmarkTable(
        "memory", device, _facts(data, clips, flow, rounds), _rows(watches, len(clips)), ("stage",), "items/s"
    )


def _teacher(settings: FitSettings, run: Run, data: ClipDataModule) -> Teacher:
    if settings.teacher_checkpoint is not None:
        return open_teacher(settings, run, data.dataset)
    module = TeacherModule(data.dataset.classes.to_list(), data.dataset.size, settings.teacher)
    return in_device_precision(fold_normalisation(frozen(module, settings.device)), settings.device)


def _build(
    settings: FitSettings,
    data: ClipDataModule,
    clips: list[Clip],
    store: MemoryStore,
    teacher: Teacher,
    flow: FlowEstimator,
) -> Stopwatch:
    """Build the memory of clips as the stage does, and return its times."""
    watch = Stopwatch(settings.device)
    frames = watch.each("decode", frame_batches(data, clips, settings.device, lambda damaged: None))
    estimate = watch.timed("flow", flow)
    estimate.name = flow.name  # type: ignore[attr-defined] # an estimator is a function with a name
    soft_labels = stream_memory(
        watch.timed("teacher", teacher),
        estimate,  # type: ignore[arg-type]
        frames,
        neighbour_keys(clips),
        count=data.options.clips.neighbours,
        fusion=settings.memory.fusion,
    )
    by_clicks = watch.timed("connect and refine", click_rule(settings, data, clips))
    write = watch.timed("write", store.write)
    for key, (item,) in watch.each("carry and fuse", ((key, quantise(soft)) for key, soft in soft_labels)):
        write(key, by_clicks(key, item))
    return watch


def _rows(watches: list[Stopwatch], targets: int) -> list[dict[str, Cell]]:
    """Return a row of the whole build and one per stage, medians over the rounds, in ms per item."""
    each = {stage: median(watch.seconds[stage] for watch in watches) / targets for stage in STAGES}
    whole = median(sum(watch.seconds.values()) for watch in watches) / targets
    return [
        {
            "stage": stage,
            "items/s": 1 / spent if spent else None,
            "ms per item": 1000 * spent,
            "share": f"{spent / whole:.0%}",
        }
        for stage, spent in {"whole": whole, **each}.items()
    ]


def _facts(data: ClipDataModule, clips: list[Clip], flow: FlowEstimator, rounds: int) -> dict[str, Cell]:
    size, options = data.dataset.size, data.options.clips
    frames = {frame.key for clip in clips for frame in clip.frames}
    return {
        "size": f"{size[1]}x{size[0]}",
        "targets": len(clips),
        "frames": len(frames),
        "neighbours": f"{options.neighbours} ({options.sides})",
        "flow": flow.name,
        "loader processes": data.workers,
        "rounds": rounds,
    }
