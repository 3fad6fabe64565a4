"""Consistency over time of a model's predictions, on the videos of a split."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Final

import numpy as np
import torch

from weclick.data.dataset import DataSet
from weclick.data.index import Frame, Segment, Split
from weclick.errors import DataError
from weclick.flow.estimators import FarnebackFlow
from weclick.flow.reliability import reliable
from weclick.flow.warp import warp_to_target
from weclick.inference.model import Model
from weclick.inference.rules import image_batch, labels_at
from weclick.metrics import Consistency, TemporalConsistency, VideoConsistency
from weclick.reporting.progress import progress_bar

MOST_PAIRS: Final = 500
WINDOWS: Final = (8, 16)


def consistency(model: Model, dataset: DataSet, split: Split) -> tuple[Consistency | None, dict[int, float]]:
    """Measure temporal consistency over pairs of successive frames, and VC_n over densely labelled videos.

    The flow is Farneback's, which no training uses. At most ``MOST_PAIRS`` pairs, evenly spread; a pair with a damaged frame
    is skipped with a warning.

    Returns:
        Temporal consistency, None if there is no pair; and VC_n by n, for each n that some video is long enough for.
    """
    segments = dataset.segments(split)
    temporal = TemporalConsistency(len(dataset.classes)).to(model.device)
    pairs = _pairs(segments)
    with progress_bar("consistency") as progress:
        for done, (frame, following) in enumerate(pairs, start=1):
            _compare(temporal, model, dataset, frame, following)
            progress(done, len(pairs))
    windows = {n: VideoConsistency(n).to(model.device) for n in WINDOWS}
    for segment in segments:
        _follow(windows, model, dataset, segment)
    values = {n: metric.compute() for n, metric in windows.items() if int(metric.windows)}
    return (temporal.compute() if int(temporal.inside_pairs.sum()) else None), values


def _pairs(segments: list[Segment]) -> list[tuple[Frame, Frame]]:
    pairs = [
        pair for s in segments for pair in pairwise(s.frames) if pair[0].label is not None or pair[1].label is not None
    ]
    chosen = np.linspace(0, len(pairs) - 1, min(MOST_PAIRS, len(pairs))).round().astype(int)
    return [pairs[index] for index in chosen]


@torch.inference_mode()
def _compare(temporal: TemporalConsistency, model: Model, dataset: DataSet, frame: Frame, following: Frame) -> None:
    flow = FarnebackFlow()
    try:
        one, two = (image_batch(dataset.reader.image(each), model.device) for each in (frame, following))
    except DataError as error:  # it is unlabelled, as all labelled ones were read to score them
        warnings.warn(f"pair of frames left out of the temporal consistency: {error}", stacklevel=2)
        return
    first, second = (labels_at(model.logits(image), dataset.size, dataset.size) for image in (one, two))
    forward, backward = flow(one, two), flow(two, one)
    warped, inside = warp_to_target(second[:, None].float(), forward, mode="nearest")
    temporal.update(first, warped[:, 0].to(torch.uint8), inside[:, 0], reliable(forward, backward)[:, 0])


@torch.inference_mode()
def _follow(windows: dict[int, VideoConsistency], model: Model, dataset: DataSet, segment: Segment) -> None:
    """Add each run of successive labelled frames of the segment to VC_n."""
    labelled = [frame.label is not None for frame in segment.frames]
    if sum(labelled) < min(windows):
        return
    for frame, has_label in zip(segment.frames, labelled, strict=True):
        if not has_label:
            for metric in windows.values():
                metric.reset_video()
            continue
        label = torch.from_numpy(dataset.reader.label(frame)).to(model.device)
        logits = model.logits(image_batch(dataset.reader.image(frame), model.device))
        prediction = labels_at(logits, dataset.size, label.shape)[0]
        for metric in windows.values():
            metric.update(prediction.long(), label.long())
    for metric in windows.values():
        metric.reset_video()
