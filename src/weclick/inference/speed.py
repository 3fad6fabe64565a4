"""How fast things are where they stand, measured side by side."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter

import torch
from torch import Tensor

from weclick.metrics import Speed

WARMUP = 3
ROUNDS = 15


@dataclass(frozen=True)
class Timing:
    """Seconds one piece of work takes: median, lower and upper quartile over the rounds."""

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
    """Time several pieces of work in turns, so that what else the machine does hits all of them alike.

    In each round every piece runs twice and the second run counts: the first wakes its threads and fills the caches that
    the piece before it emptied.

    Args:
        work: What to time, by name; it must have finished when it returns.
        rounds: Measurements of each.
        warmup: Rounds before them that do not count.
        progress: Told (rounds done, rounds in all).
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
    return {name: Timing.of(found[warmup:]) for name, found in seconds.items()}


def measure_speed(
    network: Callable[[Tensor], Tensor], size: tuple[int, int], device: torch.device, *, bf16: bool = False
) -> Speed:
    """Time single frames through a network and return the median.

    Args:
        network: RGB images (1, 3, H, W) in 0..1 to logits.
        size: (H, W).
        device: Where the network lives.
        bf16: Run under bfloat16 autocast.
    """
    middle = interleaved({"network": on_frame(network, size, device, bf16=bf16)})["network"].median
    return Speed(1 / middle, 1000 * middle, device_name(device), size, "bf16" if bf16 else "fp32")


def on_frame(
    network: Callable[[Tensor], Tensor], size: tuple[int, int], device: torch.device, *, bf16: bool = False
) -> Callable[[], None]:
    """Return a function that runs one random frame through a network and waits for the result."""
    image = torch.rand(1, 3, *size, device=device)

    def run() -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            network(image)
        if image.is_cuda:
            torch.cuda.synchronize(image.device)

    return run


def device_name(device: torch.device) -> str:
    """Return a name people know the device by, with the number of threads for a CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or device.type}, {torch.get_num_threads()} threads"
