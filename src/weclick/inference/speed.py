"""Measuring speed: of a model, and of several pieces of work side by side."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import quantiles
from time import perf_counter

import numpy as np
import torch

from weclick.conventions import Size
from weclick.inference.model import Model
from weclick.metrics import Speed

WARMUP = 3
ROUNDS = 15


@dataclass(frozen=True)
class Timing:
    """Seconds that one piece of work takes: median, lower and upper quartile over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        """Summarise the rounds' measurements."""
        low, middle, high = quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
        return cls(middle, low, high)


def interleaved(
    work: Mapping[str, Callable[[], object]],
    *,
    rounds: int = ROUNDS,
    warmup: int = WARMUP,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Timing]:
    """Time several pieces of work in turns, so that other load on the machine affects all of them alike.

    In each round every piece runs twice and the second run counts: the first wakes its threads and fills the caches that
    the previous piece emptied.

    Args:
        work: Functions to time, by name; their work must be finished when they return.
        rounds: Measurements of each.
        warmup: Rounds before them that do not count.
        progress: Called with (rounds done, rounds in all).
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for number in range(warmup + rounds):
        for name, run in work.items():
            run()
            begin = perf_counter()
            run()
            seconds[name].append(perf_counter() - begin)
        if progress is not None:
            progress(number + 1, warmup + rounds)
    return {name: Timing.of(measured[warmup:]) for name, measured in seconds.items()}


def measure_speed(model: Model, size: Size) -> Speed:
    """Time single frames of a size (H, W), the network's input, through a model and return the median."""
    middle = interleaved({"network": on_frame(model, size)})["network"].median
    return Speed(1 / middle, 1000 * middle, device_name(model.device), size, model.precision)


def on_frame(model: Model, size: Size) -> Callable[[], object]:
    """Return a function that runs a model on one random frame of a size (H, W), from its pixels to the logits."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    return partial(model.run, image)


def device_name(device: torch.device | str) -> str:
    """Return the device's product name, with the number of threads for a CPU."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or device.type}, {torch.get_num_threads()} threads"
