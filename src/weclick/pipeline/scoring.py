"""Scoring a model on the labelled frames of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from weclick.conventions import FrameKey
from weclick.data.datamodule import ClipDataModule
from weclick.data.index import Split
from weclick.inference.model import Model
from weclick.inference.rules import class_ids, resize_ids
from weclick.metrics import Scores, SegmentationScore
from weclick.ragged import map_by_shape
from weclick.reporting.progress import progress_bar


@dataclass(frozen=True)
class ScoredFrame:
    """A labelled frame and what the model predicts for it.

    Shape:
        image: (3, H, W) in 0..1, at its working size. ids: class ids uint8 (H, W), the prediction at that size.
        label, prediction: class ids uint8 (h, w), at the label's own size.

    Args:
        miou, accuracy: Of this frame alone; NaN if no pixel of it is labelled.
    """

    key: FrameKey
    image: Tensor
    ids: Tensor
    label: Tensor
    prediction: Tensor
    miou: float
    accuracy: float


Observer = Callable[[ScoredFrame], None]


def score(model: Model, data: ClipDataModule, split: Split, observers: Sequence[Observer] = ()) -> Scores:
    """Score a model on the labelled frames of a split, at the frames' working sizes and the labels' resolution.

    Each observer is called with every frame, in the order of ``data.dataset.labelled(split)``.
    """
    metric = SegmentationScore(len(data.dataset.classes)).to(model.device)
    loader = data.evaluation_loader(split)
    with progress_bar("test") as progress:
        for done, batch in enumerate(loader, start=1):
            images = [image.to(model.device).float() / 255 for image in batch["image"]]
            maps = map_by_shape(lambda _, alike: model.logits(alike), images)
            for key, image, logits, label in zip(batch["key"], images, maps, batch["label"], strict=True):
                ids = class_ids(logits[None], image.shape[-2:])
                truth, prediction = label.to(model.device), resize_ids(ids, label.shape)[0]
                own = metric(prediction, truth)  # adds the frame, and returns its scores alone
                for observe in observers:
                    observe(ScoredFrame(key, image, ids[0], truth, prediction, own.miou, own.accuracy))
            progress(done, len(loader))
    return metric.compute()
