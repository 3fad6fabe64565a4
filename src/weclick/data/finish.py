"""Completing a training batch on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from weclick.data.supply import Batch, Supply
from weclick.memory.draws import inside_frame


def finish(batch: Batch, *, supplies: Sequence[Supply], augmentation: Callable[[Tensor], Tensor] | None) -> None:
    """Let every supply complete the batch, then augment its colours.

    A complete batch holds ``frame``, names, ``image`` (B, 3, h, w), ``labels`` int64 (B, h, w), ``present`` bool (B, C)
    and ``inside`` bool (B, 1, h/4, w/4), False in the draw's border. Supplies add ``soft_labels`` at the same stride
    (:class:`~weclick.memory.online.SoftLabels`), ``grown`` and ``accepted`` int64 (B, h/4, w/4), ``pair``
    (:class:`~weclick.data.supplies.Pair`) and ``plain``, the images before their colours are augmented.

    Args:
        batch: As the loader workers return it, but with ``image`` in 0..1; changed in place.
        supplies: What loss terms need besides image and labels.
        augmentation: Augments colours, or None.
    """
    batch["labels"] = batch["labels"].long()
    grid, seeds = batch.pop("grid"), batch.pop("seed").tolist()
    batch["inside"] = inside_frame(grid)
    for supply in supplies:
        supply.complete(batch, grid)
    if augmentation is not None:
        _augment_colours(batch, augmentation, seeds)


def _augment_colours(batch: Batch, augmentation: Callable[[Tensor], Tensor], seeds: list[int]) -> None:
    """Augment the colours of ``image``, and in the same way those of its ``pair``."""
    pair, images = batch.get("pair"), batch["image"]
    if pair is not None:
        # stacked into one tall image, both frames get the same random colours; only noise differs, as in a real video
        images = torch.cat((images, pair.image), -2)
    augmented = []
    for image, seed in zip(images.split(1), seeds, strict=True):
        torch.manual_seed(seed)  # by sample: the number of processes, which divide a batch, changes no colour
        augmented.append(augmentation(image))
    batch["image"] = torch.cat(augmented)
    if pair is not None:
        batch["image"], neighbour = batch["image"].chunk(2, -2)
        batch["pair"] = pair._replace(image=neighbour)
