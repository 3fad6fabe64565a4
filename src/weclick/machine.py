"""This process: its rank in a training, the other processes of it, and the CPU cores it may use."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


_RANKS: Final = ("LOCAL_RANK", "SLURM_PROCID", "NODE_RANK")
"""Variables of which at least one is above 0 in all processes but the first, where no launcher sets RANK."""


def process_rank() -> int:
    """Return this process's rank over all machines; 0 is the first process, the only one that prints and writes.

    torchrun and Ray set RANK, srun sets SLURM_PROCID. Lightning's own launcher sets LOCAL_RANK, and its users NODE_RANK: on other
    machines than the first, the result is above 0, but not the rank.
    """
    if stated := os.environ.get("RANK"):
        return int(stated)
    return next((rank for name in _RANKS if (rank := int(os.environ.get(name) or 0))), 0)


def launched_processes() -> tuple[int, int] | None:
    """Return how many processes torchrun, Ray or srun has started on each machine, and on how many; None without them."""
    variables = os.environ
    if local := int(variables.get("LOCAL_WORLD_SIZE") or 0):
        return local, max(1, int(variables.get("WORLD_SIZE", local)) // local)
    # in jobs of these names Lightning starts the processes
    if "SLURM_NTASKS" in variables and variables.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        machines = int(variables.get("SLURM_NNODES") or 1)
        return max(1, int(variables["SLURM_NTASKS"]) // machines), machines
    return None


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    # os.cpu_count() is the number of the machine's cores, also inside a container that may use only some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compute_threads() -> int:
    """Return how many threads a runtime beside torch may compute in: torch's own number where a program has loaded torch.

    Without torch it is ``OMP_NUM_THREADS``, which torch follows too, else the number of cores.
    """
    if torch := sys.modules.get("torch"):
        return int(torch.get_num_threads())
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # one number per level of nesting
    return int(stated) if stated.isdecimal() and int(stated) else usable_cores()


def default_workers(processes: int = 1) -> int:
    """Return how many loader processes one of these processes gets: half of the cores it may use, at least 1, at most 8."""
    return min(8, max(1, usable_cores() // (2 * processes)))


def map_beside(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield the results of some work on items in order; threads do it while the next items are computed.

    Two items per thread wait at most. When the caller stops early, work that has begun or waits is finished first.

    Args:
        work: Releases Python's lock for most of its time, as OpenCV, zlib and writing do.
        items: Computed in the calling thread.
        threads: 0 does the work in the calling thread.
    """
    if not threads:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
