"""This process: its rank in a training, and the CPU cores it may use."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def process_rank() -> int:
    """Return this process's rank; 0 is the one the user started, the only one that prints and writes."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    # os.cpu_count() is the number of the machine's cores, also inside a container that may use only some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
