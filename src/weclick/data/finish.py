"""What is left to do to a training batch on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from weclick.data.supply import Batch, Supply
from weclick.memory import inside_frame


def finish(batch: Batch, *, supplies: Sequence[Supply], augmentation: Callable[[Tensor], Tensor] | None) -> None:
    """Let every supply complete the batch, then augment its colours.

    Afterwards a batch holds ``image`` (B, 3, h, w), ``labels`` int64 (B, h, w), ``present`` bool (B, C), ``inside`` bool
    (B, 1, h/4, w/4), which is False in the draw's border, and from its supplies ``soft_labels`` at that stride
    (:class:`~weclick.memory.SoftLabels`) and ``pair`` (:class:`~weclick.data.supplies.Pair`).

    Args:
        batch: As workers hand it over, but for ``image``, which is in 0..1.
        supplies: What loss terms need beside image and labels.
        augmentation: Augments colours, or None.
    """
    batch["labels"] = batch["labels"].long()
    grid = batch.pop("grid")
    batch["inside"] = inside_frame(grid)
    for supply in supplies:
        supply.complete(batch, grid)
    if augmentation is not None:
        _augment_colours(batch, augmentation)


def _augment_colours(batch: Batch, augmentation: Callable[[Tensor], Tensor]) -> None:
    """Augment the colours of ``image``, and those of its ``pair`` by the same draw."""
    if "pair" not in batch:
        batch["image"] = augmentation(batch["image"])
        return
    # as one tall picture both frames share their draw; only noise differs, as between the frames of a camera
    both = augmentation(torch.cat((batch["image"], batch["pair"].image), -2))
    batch["image"], neighbour = both.chunk(2, -2)
    batch["pair"] = batch["pair"]._replace(image=neighbour)
