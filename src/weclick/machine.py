"""This machine's cores, and the processes of one training that share them."""

from __future__ import annotations

import os


def process_rank() -> int:
    """Return this process's rank; 0 is the one the user started, the only one that prints and writes."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


def processes_on_machine() -> int:
    """Return how many processes of this training run on this machine; 1 where no launcher has set it."""
    # torchrun sets LOCAL_WORLD_SIZE. Lightning's own launcher sets only WORLD_SIZE, which counts the processes of all
    # machines: too large a number costs some speed, too small a one overloads the machine.
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("WORLD_SIZE") or 1))


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    # os.cpu_count() is the number of the machine's cores, also inside a container that may use only some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
