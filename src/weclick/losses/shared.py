"""Denominators of losses when several processes share a batch."""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def over_processes(count: Tensor) -> Tensor:
    """Return the mean of a count over all processes of a training.

    A process divides its sum by it. Each process has another number of clicks, and the mean of their own means would give a
    lonely click more weight; the mean of these quotients is the mean over the whole batch. All processes must call it.
    """
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return count
    total = count.detach().to(torch.float32, copy=True)
    distributed.all_reduce(total)
    return total / distributed.get_world_size()
