"""This process: its rank in a training, and the CPU cores it may use."""

from __future__ import annotations

import os


def process_rank() -> int:
    """Return this process's rank; 0 is the one the user started, the only one that prints and writes."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    # os.cpu_count() is the number of the machine's cores, also inside a container that may use only some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
