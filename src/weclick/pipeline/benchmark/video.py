"""Frames per second of ``predict`` from file to file, and where the time goes."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lightning.fabric import Fabric

from weclick.inference.predict import Summary
from weclick.pipeline.benchmark.table import BenchmarkTable, Cell
from weclick.pipeline.predict import predict_with


def benchmark_video(
    checkpoints: Mapping[str, Path],
    source: str,
    *,
    rounds: int = 3,
    max_frames: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkTable:
    """Predict a source with each checkpoint, in turns, overlay and labels included.

    Args:
        checkpoints: Checkpoints or exported models, by the name to show.
        source: Video file or folder of images.
        rounds: Predictions with each.
        max_frames: Stop each after so many frames.
        progress: Told (predictions done, predictions in all).
    """
    found: dict[str, list[Summary]] = {name: [] for name in checkpoints}
    for number in range(rounds):
        for position, (name, path) in enumerate(checkpoints.items()):
            with TemporaryDirectory() as out:
                found[name].append(predict_with(path, source, Path(out), max_frames=max_frames))
            if progress is not None:
                progress(number * len(checkpoints) + position + 1, rounds * len(checkpoints))
    rows = [{"model": name, **_row(summaries)} for name, summaries in found.items()]
    facts: dict[str, Cell] = {
        "source": Path(source).name,
        "frames": next(iter(found.values()))[0].frames,
        "rounds": rounds,
        "stages": "seconds of each, which overlap; per frame in ms",
        "peak memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    device = Fabric(accelerator="auto", devices=1).device  # where predict puts a checkpoint's network
    return BenchmarkTable("video", device, facts, rows, ("model",), "end to end FPS")


def _row(summaries: Sequence[Summary]) -> dict[str, Cell]:
    end_to_end = median(s.fps_end_to_end for s in summaries)
    network = median(s.fps_network for s in summaries)
    stages = {
        f"{stage} (ms)": 1000 * median(s.stages[stage] / s.frames for s in summaries) for stage in summaries[0].stages
    }
    return {
        "end to end FPS": end_to_end,
        "network FPS": network,
        "ratio": end_to_end / network,
        **stages,
    }
