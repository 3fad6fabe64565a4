"""Batches of maps that differ in size: frames keep their shape, so a batch may hold several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Maps = Tensor | Sequence[Tensor]
"""Maps of a batch: a tensor (B, ...) where all have one shape, else a tensor for each sample."""


def by_shape(maps: Maps) -> list[tuple[list[int], Tensor]]:
    """Return the maps of each shape as one tensor, with their positions in the batch."""
    if isinstance(maps, Tensor):
        return [(list(range(len(maps))), maps)]
    positions: dict[torch.Size, list[int]] = {}
    for position, each in enumerate(maps):
        positions.setdefault(each.shape, []).append(position)
    return [(alike, torch.stack([maps[position] for position in alike])) for alike in positions.values()]


def map_by_shape(function: Callable[[list[int], Tensor], Tensor], maps: Maps) -> list[Tensor]:
    """Apply a function to the maps of each shape, and return a result for each sample, in order.

    Args:
        function: From positions and maps (b, ...) to results (b, ...).
        maps: Maps of a batch.
    """
    results: dict[int, Tensor] = {}
    for positions, alike in by_shape(maps):
        results |= zip(positions, function(positions, alike), strict=True)
    return [results[position] for position in range(len(results))]
