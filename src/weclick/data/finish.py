"""What is left to do to a training batch on the device."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from weclick.data.pairs import PairSource, augment
from weclick.data.recall import Batch, MemorySource
from weclick.memory import follow_draw, inside_frame


def finish(
    batch: Batch,
    *,
    pair: PairSource | None,
    photometric: Callable[[Tensor], Tensor] | None,
    recall: MemorySource | None,
) -> None:
    """Pair drawn targets with their neighbours, augment colours, and let the recall follow the draw.

    Afterwards a batch holds ``image`` (B, 3, h, w), ``labels`` int64 (B, h, w), ``present`` bool (B, C), ``inside`` bool
    (B, 1, h/4, w/4), which is False in the draw's border, and, if asked for, ``recall`` at that stride and ``pair``.

    Args:
        batch: As workers hand it over, but for ``image``, which is in 0..1.
        pair: Where the targets' neighbours come from, or None.
        photometric: Augments colours, or None.
        recall: Where teacher's view and memory come from, or None.
    """
    batch["labels"] = batch["labels"].long()
    grid = batch.pop("grid")
    batch["inside"] = inside_frame(grid)
    if pair is not None:
        batch["pair"] = pair(batch)
    if photometric is not None:
        augment(batch, photometric)
    if recall is not None:
        batch["recall"] = follow_draw(recall(batch), grid)
