"""Images per second that one loader process reads and draws, and where its time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from cProfile import Profile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from types import CodeType
from typing import Final

import torch

from weclick.data.draws import Window, draw_discs
from weclick.data.sampler import SampleKey
from weclick.data.samples import TrainingSamples
from weclick.data.supplies import NeighbourPairs
from weclick.images import decode, read_bytes
from weclick.pipeline.benchmark.train import few_clicks
from weclick.pipeline.settings import FitSettings
from weclick.reporting.benchmark import BenchmarkTable, Cell

STAGES: Final[Mapping[str, tuple[CodeType, ...]]] = {
    "read": (read_bytes.__code__,),
    "decode": (decode.__code__,),
    "draw": tuple(part.__code__ for part in (Window.image, Window.label, Window.grid, draw_discs)),
}
"""Functions whose time each stage is; none of them calls another."""


def benchmark_loader(
    settings: FitSettings,
    scratch: Path,
    *,
    rounds: int = 5,
    steps: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkTable:
    """Time the training samples as one loader process makes them, in this process and without any network.

    Args:
        settings: Parsed settings of a fit.
        scratch: Folder for the clicks of the benchmark.
        rounds: Blocks of each kind of samples; the same draws in each.
        steps: Batches of a block.
        progress: Called with (blocks done, blocks in all).
    """
    kinds = _kinds(settings, scratch)
    count = steps * settings.data.batch_size
    for samples in kinds.values():
        samples[_key(samples, 0)]  # what is imported or opened at the first use
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for number in range(rounds):
        for position, (name, samples) in enumerate(kinds.items()):
            seconds[name].append(_timed(samples, count))
            if progress is not None:
                progress(number * len(kinds) + position + 1, rounds * len(kinds))
    rows = [{"samples": name, **_row(seconds[name], samples, count)} for name, samples in kinds.items()]
    data = settings.make_data()
    facts: dict[str, Cell] = {
        "frame": f"{data.dataset.size[1]}x{data.dataset.size[0]}",
        "crop": f"{data.crop[1]}x{data.crop[0]}",
        "scale": list(settings.data.draws.scale),
        "rounds": rounds,
        "images": count,
        "stages": "ms per image",
    }
    return BenchmarkTable("loader", torch.device("cpu"), facts, rows, ("samples",), "images/s per core")


def _kinds(settings: FitSettings, scratch: Path) -> dict[str, TrainingSamples]:
    """Return the training samples of each kind by its name in the table."""
    clicks, reader = few_clicks(settings, scratch), settings.dataset.reader
    data = {"clicks": settings.make_data(clicks=clicks)}
    if settings.data.clips.neighbours:
        pairs = NeighbourPairs(settings.make_flow(torch.device("cpu")), reader)
        data["clicks, with a neighbour"] = settings.make_data(clicks=clicks, supplies=(pairs,))
    if settings.dataset.labelled("train"):
        data["masks"] = replace(settings, data=replace(settings.data, supervision="masks")).make_data()
    loaders = {name: made.train_dataloader() for name, made in data.items()}
    return {name: loader.dataset for name, loader in loaders.items() if isinstance(loader.dataset, TrainingSamples)}


def _key(samples: TrainingSamples, number: int) -> SampleKey:
    return SampleKey(number % len(samples), number)


def _timed(samples: TrainingSamples, count: int) -> tuple[float, float]:
    """Return the seconds and the CPU seconds that the samples take."""
    begin, cpu = perf_counter(), process_time()
    for number in range(count):
        samples[_key(samples, number)]
    return perf_counter() - begin, process_time() - cpu


def _row(seconds: list[tuple[float, float]], samples: TrainingSamples, count: int) -> dict[str, Cell]:
    elapsed, cpu = (median(values) for values in zip(*seconds, strict=True))
    # Profiled apart from the timing, which it would slow down; only the stages' shares of the time are taken from it.
    profile = Profile(process_time)
    profile.runcall(_timed, samples, count)
    spent = {entry.code: entry.totaltime for entry in profile.getstats()}
    share = 1000 * cpu / count / spent[_timed.__code__]
    stages = {name: share * sum(spent.get(code, 0.0) for code in codes) for name, codes in STAGES.items()}
    rest = 1000 * cpu / count - sum(stages.values())
    return {
        "images/s": count / elapsed,
        "images/s per core": count / cpu,
        **{f"{name} (ms)": value for name, value in stages.items()},
        "rest (ms)": rest,
    }
