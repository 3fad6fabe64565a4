"""Consistency over time of a model's predictions, measured while the frames of a split are scored."""

from __future__ import annotations

import warnings
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import FrameKey, Size
from weclick.data.dataset import DataSet
from weclick.data.index import Frame, Segment, Split
from weclick.errors import DataError
from weclick.flow.estimators import FarnebackFlow
from weclick.flow.reliability import reliable
from weclick.flow.warp import resize_flow, warp_to_target
from weclick.inference.model import Model
from weclick.inference.rules import class_ids, image_batch
from weclick.machine import usable_cores
from weclick.metrics import ComparedPairs, Consistency, TemporalConsistency, VideoConsistency
from weclick.pipeline.options import DEFAULT_PAIRS
from weclick.pipeline.scoring import ScoredFrame

FLOW_SIDE: Final = 512
"""Longer side of the images that flow is estimated on.

Farneback's method with its fixed number of levels misses the large motions of larger images. On rendered street video of
2048x1024 the true labels have a consistency of 83 % along its flow at full size, and 93 % along that at 512x256.
"""
WINDOWS: Final = (8, 16)

Pair = tuple[Frame, Frame]


class ConsistencyMeter:
    """Measures temporal consistency over pairs of successive frames, and VC_n over densely labelled videos.

    An observer of :func:`weclick.pipeline.scoring.score`: the network runs only for frames of pairs that are not labelled. The
    flow is Farneback's, which no training uses; it is estimated at most ``FLOW_SIDE`` wide, in threads beside the network, and
    enlarged. A pair with a damaged frame is left out with a warning.

    Args:
        model: The model that is scored.
        dataset: Data set it is scored on.
        split: Split it is scored on.
        pairs: Number of pairs to compare at most, evenly spread over all that have a labelled frame.
        threads: Threads that estimate flow; by default one for each core. The result does not depend on it.
    """

    def __init__(
        self, model: Model, dataset: DataSet, split: Split, pairs: int = DEFAULT_PAIRS, threads: int | None = None
    ) -> None:
        self.model, self.dataset = model, dataset
        segments = dataset.segments(split)
        every = _labelled_pairs(segments)
        chosen = [every[i] for i in np.linspace(0, len(every) - 1, min(pairs, len(every))).round().astype(int)]
        self._available = len(every)
        self._pairs: dict[FrameKey, list[Pair]] = {}
        for pair in chosen:  # by the frame that is scored last: only then is all known
            self._pairs.setdefault(next(f.key for f in reversed(pair) if f.label is not None), []).append(pair)
        self._uses = Counter(frame.key for pair in chosen for frame in pair)
        self._views: dict[FrameKey, _View] = {}
        self._temporal = TemporalConsistency(len(dataset.classes)).to(model.device)
        self._compared = 0
        self._threads = usable_cores() if threads is None else threads
        self._pool = ThreadPoolExecutor(self._threads)
        self._pending: deque[_Pending] = deque()
        self._in_run = dict(_long_runs(segments))
        self._windows = {n: VideoConsistency(n).to(model.device) for n in WINDOWS}

    def add(self, frame: ScoredFrame) -> None:
        """Add the next scored frame."""
        if frame.key in self._in_run:
            self._follow(frame)
        if frame.key in self._uses:
            self._views[frame.key] = self._view(frame.image[None], frame.ids)
        for pair in self._pairs.get(frame.key, ()):
            try:
                self._start(*(self._look_up(each) for each in pair))
            except DataError as error:  # it is unlabelled, as all labelled ones were read to score them
                warnings.warn(f"pair of frames left out of the temporal consistency: {error}", stacklevel=2)
            for each in pair:
                self._uses[each.key] -= 1
                if not self._uses[each.key]:
                    self._views.pop(each.key, None)

    def compute(self) -> tuple[Consistency | None, ComparedPairs, dict[int, float]]:
        """Return the results; no frame can be added afterwards.

        Returns:
            Temporal consistency, None if nothing was compared; which pairs were; and VC_n by n, for each n that some video is
            long enough for.
        """
        while self._pending:
            self._finish(self._pending.popleft())
        self._pool.shutdown()
        height, width = _flow_size(self.dataset.size)
        compared = ComparedPairs(self._compared, self._available, FarnebackFlow().name, (height, width))
        values = {n: metric.compute() for n, metric in self._windows.items() if int(metric.windows)}
        return (self._temporal.compute() if int(self._temporal.inside_pairs.sum()) else None), compared, values

    def _view(self, image: Tensor, ids: Tensor) -> _View:
        size = _flow_size((image.shape[-2], image.shape[-1]))
        # the mean of the pixels it replaces, as in reduced frames: fine texture would become false motion
        return _View(image if image.shape[-2:] == size else F.interpolate(image, size, mode="area"), ids)

    def _look_up(self, frame: Frame) -> _View:
        """Return the view of a frame of a pair; one that is not scored is read and predicted."""
        if frame.key not in self._views:
            image = image_batch(self.dataset.reader.image(frame), self.model.device)
            self._views[frame.key] = self._view(image, class_ids(self.model.logits(image), image.shape[-2:])[0])
        return self._views[frame.key]

    def _start(self, one: _View, two: _View) -> None:
        flow = FarnebackFlow()
        forward, backward = self._pool.submit(flow, one.image, two.image), self._pool.submit(flow, two.image, one.image)
        self._pending.append(_Pending(one.ids, two.ids, forward, backward))
        if len(self._pending) > self._threads:  # more would only wait, each with two predictions
            self._finish(self._pending.popleft())

    def _finish(self, pair: _Pending) -> None:
        size = (pair.first.shape[0], pair.first.shape[1])
        forward, backward = (resize_flow(future.result(), size) for future in (pair.forward, pair.backward))
        warped, inside = warp_to_target(pair.second[None, None].float(), forward, mode="nearest")
        self._temporal.update(pair.first, warped[0, 0].to(torch.uint8), inside[0, 0], reliable(forward, backward)[0, 0])
        self._compared += 1

    def _follow(self, frame: ScoredFrame) -> None:
        for metric in self._windows.values():
            if self._in_run[frame.key]:
                metric.reset_video()
            metric.update(frame.prediction.long(), frame.label.long())


class _View(NamedTuple):
    """What a pair needs of a frame: its image (1, 3, h, w) as flow is estimated on, and its class ids (H, W)."""

    image: Tensor
    ids: Tensor


class _Pending(NamedTuple):
    """Class ids of a pair of frames, and its flow while it is estimated."""

    first: Tensor
    second: Tensor
    forward: Future[Tensor]
    backward: Future[Tensor]


def _flow_size(size: Size) -> Size:
    scale = min(1.0, FLOW_SIDE / max(size))
    return (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def _labelled_pairs(segments: list[Segment]) -> list[Pair]:
    pairs = (pair for segment in segments for pair in pairwise(segment.frames))
    return [pair for pair in pairs if any(frame.label is not None for frame in pair)]


def _long_runs(segments: list[Segment]) -> Iterator[tuple[FrameKey, bool]]:
    """Yield the frames of each run of successive labelled frames that VC_n can be measured on, and whether each is its first."""
    for segment in segments:
        for has_label, frames in groupby(segment.frames, lambda frame: frame.label is not None):
            run = [frame.key for frame in frames]
            if has_label and len(run) >= min(WINDOWS):
                yield from ((key, key == run[0]) for key in run)
