"""Frames per second of ``predict`` from file to file, and where the time goes."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from weclick.inference.opening import open_model
from weclick.inference.predict import Summary, predict
from weclick.inference.rules import default_device
from weclick.reporting.benchmark import BenchmarkTable, Cell


def benchmark_video(
    paths: Mapping[str, Path],
    source: str,
    *,
    rounds: int = 3,
    max_frames: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkTable:
    """Predict a source with each model, in turns, overlay and labels included.

    Args:
        paths: Checkpoints or exported models, by the name to show.
        source: Video file or folder of images.
        rounds: Predictions with each.
        max_frames: Stop each after so many frames.
        progress: Called with (predictions done, predictions in all).
    """
    models = {name: open_model(path) for name, path in paths.items()}
    summaries: dict[str, list[Summary]] = {name: [] for name in models}
    for number in range(rounds):
        for position, (name, model) in enumerate(models.items()):
            with TemporaryDirectory() as out:
                summaries[name].append(predict(model, source, Path(out), max_frames=max_frames))
            if progress is not None:
                progress(number * len(models) + position + 1, rounds * len(models))
    rows = [{"model": name, **_row(own)} for name, own in summaries.items()]
    facts: dict[str, Cell] = {
        "source": Path(source).name,
        "frames": next(iter(summaries.values()))[0].frames,
        "rounds": rounds,
        "stages": "seconds of each, which overlap; per frame in ms",
        "peak memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    return BenchmarkTable("video", default_device(), facts, rows, ("model",), "end to end FPS")


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
