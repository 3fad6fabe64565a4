"""How right accepted labels are, where there are masks to compare them with."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch

from weclick.clicks import ClickStore
from weclick.clicks.labels import sure_labels
from weclick.conventions import IGNORE_INDEX
from weclick.data.index import Layout
from weclick.data.masks import masks_of
from weclick.metrics import Scores, SegmentationScore
from weclick.reporting.progress import progress_bar

LEVELS: Final = (0.0, 0.5, 0.7)
"""Confidences for which :func:`label_quality` compares the pixels that have at least that confidence."""


class LabelQuality(NamedTuple):
    """Agreement of accepted labels with masks.

    ``sure`` is the lowest confidence of the compared pixels, ``share`` their share of all pixels with a mask.
    """

    sure: float
    share: float
    scores: Scores


def label_quality(store: ClickStore, layout: Layout) -> list[LabelQuality]:
    """Compare the accepted labels of a store with the masks of the same frames, at the masks' resolution.

    Returns:
        One entry per level of :data:`LEVELS`; none if no frame has both.

    Raises:
        DataError: A mask cannot be used.
    """
    masks = {key: load for split in layout.splits() for key, load in masks_of(layout, split).items() if load}
    keys = [key for key in store.accepted() if key in masks]
    if not keys:
        return []
    scores = {sure: SegmentationScore(len(layout.classes)) for sure in LEVELS}
    with progress_bar("comparing labels") as show:
        for done, key in enumerate(keys, start=1):
            label, (mask, _) = store.label(key), masks[key]()
            assert label is not None
            for sure, score in scores.items():
                ids = torch.from_numpy(sure_labels(label, (mask.shape[0], mask.shape[1]), sure))
                truth = torch.from_numpy(mask).masked_fill(ids == IGNORE_INDEX, IGNORE_INDEX)
                score.update(ids, truth)
            show(done, len(keys))
    computed = [score.compute() for score in scores.values()]
    compared = [int(one.confusion.sum()) for one in computed]
    levels = zip(LEVELS, compared, computed, strict=True)
    return [LabelQuality(sure, count / max(compared[0], 1), one) for sure, count, one in levels]
