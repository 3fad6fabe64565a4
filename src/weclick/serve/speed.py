"""How fast a network is where it stands."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from weclick.metrics import Speed

WARMUP = 3
RUNS = 15


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
    image = torch.rand(1, 3, *size, device=device)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        seconds = [_timed(network, image) for _ in range(WARMUP + RUNS)][WARMUP:]
    middle = median(seconds)
    return Speed(1 / middle, 1000 * middle, device_name(device), size, "bf16" if bf16 else "fp32")


def _timed(network: Callable[[Tensor], Tensor], image: Tensor) -> float:
    begin = perf_counter()
    network(image)
    if image.is_cuda:
        torch.cuda.synchronize(image.device)
    return perf_counter() - begin


def device_name(device: torch.device) -> str:
    """Return a name people know the device by, with the number of threads for a CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or device.type}, {torch.get_num_threads()} threads"
