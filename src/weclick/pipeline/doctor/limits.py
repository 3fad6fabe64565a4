"""What this process may use of the machine: CPU cores, memory and shared memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from weclick.data.options import DataOptions
from weclick.machine import default_workers, usable_cores
from weclick.pipeline.doctor.finding import Finding

CGROUPS: Final = Path("/sys/fs/cgroup")
SHARED_MEMORY: Final = Path("/dev/shm")

_GB: Final = 1e9
_LEAST_MEMORY: Final = 4 * _GB
"""With less, even small trainings with loader processes of their own, each of which imports PyTorch, may be killed."""


def examine_cores(cgroups: Path = CGROUPS) -> Iterator[Finding]:
    """Compare the cores that this process may use with the time that its container gives it."""
    cores, quota = usable_cores(), _core_quota(cgroups)
    found = f"{cores} of {os.cpu_count()} may be used" + (
        f", OMP_NUM_THREADS={n}" if (n := os.environ.get("OMP_NUM_THREADS")) else ""
    )
    if quota is not None and quota < cores:
        remedy = f"set OMP_NUM_THREADS={max(1, round(quota))} and --data.workers {max(1, round(quota) // 2)}"
        yield Finding("warning", "CPU cores", f"{found}, but the container gives the time of {quota:g}", remedy)
    else:
        yield Finding("ok", "CPU cores", found)


def examine_memory(cgroups: Path = CGROUPS) -> Iterator[Finding]:
    """Compare the memory that this process may use with what a small training needs."""
    total, limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), _memory_limit(cgroups)
    found = f"{total / _GB:.1f} GB" + (f", of which the container may use {limit / _GB:.1f} GB" if limit else "")
    if min(total, limit or total) < _LEAST_MEMORY:
        remedy = "give more, or train with --data.workers 0 and a smaller --data.size"
        yield Finding("warning", "memory", found, remedy)
    else:
        yield Finding("ok", "memory", found)


def examine_shared_memory(place: Path = SHARED_MEMORY) -> Iterator[Finding]:
    """Compare the shared memory with the batches of full Cityscapes frames that loader processes keep in it."""
    if not place.is_dir():  # not on Linux: batches are passed on in another way
        return
    free, workers = shutil.disk_usage(place).free, default_workers()
    frame = 1024 * 2048 * 4  # bytes of image and label
    needed = workers * 2 * DataOptions.batch_size * frame  # PyTorch prefetches two batches per process
    found = f"{free / _GB:.2f} GB free in {place}"
    if free < needed:
        remedy = f"start the container with --shm-size={needed / _GB:.1f}g, or train with --data.workers 0"
        yield Finding("warning", "shared memory", f"{found}, {workers} loaders of large frames need more", remedy)
    else:
        yield Finding("ok", "shared memory", found)


def _core_quota(cgroups: Path) -> float | None:
    """Return how many cores' time the container gives, None without a limit; of control groups version 2, then 1."""
    quota, _, period = _read(cgroups / "cpu.max").partition(" ")
    if not quota:
        quota, period = (_read(cgroups / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None  # else "max" or -1


def _memory_limit(cgroups: Path) -> int | None:
    """Return how many bytes the container may use, None without a limit."""
    text = _read(cgroups / "memory.max") or _read(cgroups / "memory" / "memory.limit_in_bytes")
    return int(text) if text.isdigit() and int(text) < 1 << 60 else None  # version 1 states a huge number for none


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
