"""How steady a network's predictions are over time, on a split's videos."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor

from weclick.data.datamodule import ClipDataModule
from weclick.data.index import Frame, Segment, Split
from weclick.errors import DataError
from weclick.flow.estimators import FarnebackFlow
from weclick.flow.reliability import reliable
from weclick.flow.warp import warp_to_target
from weclick.inference.tensors import image_batch
from weclick.metrics import Consistency, TemporalConsistency, VideoConsistency, labels_at
from weclick.modules import SegmentationModule
from weclick.reporting.progress import progress_bar

MOST_PAIRS: Final = 500
WINDOWS: Final = (8, 16)


def consistency(
    module: SegmentationModule, data: ClipDataModule, split: Split, device: torch.device
) -> tuple[Consistency | None, dict[int, float]]:
    """Measure temporal consistency over pairs of successive frames, and VC_n over densely labelled videos.

    The flow is Farneback's, which no training uses. At most ``MOST_PAIRS`` pairs, evenly spread; of a damaged frame
    a warning tells.

    Returns:
        Temporal consistency, None without any pair; and VC_n by n, without those no video is long enough for.
    """
    found = data.segments(split)
    temporal = TemporalConsistency(len(data.classes)).to(device)
    pairs = _pairs(found)
    with progress_bar("consistency") as progress:
        for done, (frame, following) in enumerate(pairs, start=1):
            _compare(temporal, module, data, frame, following, device)
            progress(done, len(pairs))
    windows = {n: VideoConsistency(n).to(device) for n in WINDOWS}
    for segment in found:
        _follow(windows, module, data, segment, device)
    values = {n: metric.compute() for n, metric in windows.items() if int(metric.windows)}
    return (temporal.compute() if int(temporal.inside_pairs.sum()) else None), values


def _pairs(found: list[Segment]) -> list[tuple[Frame, Frame]]:
    pairs = [
        pair for s in found for pair in pairwise(s.frames) if pair[0].label is not None or pair[1].label is not None
    ]
    chosen = np.linspace(0, len(pairs) - 1, min(MOST_PAIRS, len(pairs))).round().astype(int)
    return [pairs[index] for index in chosen]


@torch.inference_mode()
def _compare(
    temporal: TemporalConsistency,
    module: SegmentationModule,
    data: ClipDataModule,
    frame: Frame,
    following: Frame,
    device: torch.device,
) -> None:
    flow = FarnebackFlow()
    try:
        one, two = (_read(data, f, device) for f in (frame, following))
    except DataError as error:  # an unlabelled frame, as the scoring has read the labelled ones
        warnings.warn(f"pair of frames left out of the temporal consistency: {error}", stacklevel=2)
        return
    first, second = (labels_at(module(image), data.size) for image in (one, two))
    forward, backward = flow(one, two), flow(two, one)
    warped, inside = warp_to_target(second[:, None].float(), forward, mode="nearest")
    temporal.update(first, warped[:, 0].long(), inside[:, 0], reliable(forward, backward)[:, 0])


@torch.inference_mode()
def _follow(
    windows: dict[int, VideoConsistency],
    module: SegmentationModule,
    data: ClipDataModule,
    segment: Segment,
    device: torch.device,
) -> None:
    """Feed the segment's labelled stretches to VC_n."""
    labelled = [frame.label is not None for frame in segment.frames]
    if sum(labelled) < min(windows):
        return
    for frame, has_label in zip(segment.frames, labelled, strict=True):
        if not has_label:
            for metric in windows.values():
                metric.reset_video()
            continue
        label = torch.from_numpy(data.reader.label(frame)).to(device)
        prediction = labels_at(module(_read(data, frame, device)), (label.shape[0], label.shape[1]))[0]
        for metric in windows.values():
            metric.update(prediction, label.long())
    for metric in windows.values():
        metric.reset_video()


def _read(data: ClipDataModule, frame: Frame, device: torch.device) -> Tensor:
    return image_batch(data.reader.image(frame), device)
