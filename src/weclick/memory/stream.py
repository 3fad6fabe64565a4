"""The memory of many targets in one pass over the frames: teacher and flow run once per frame and pair of frames."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from weclick.conventions import FrameKey
from weclick.flow.estimators import FlowEstimator
from weclick.memory.fuse import fuse
from weclick.memory.online import SoftLabels, Teacher, carry, soft_labels
from weclick.memory.options import PLAIN, Fusion
from weclick.ragged import map_by_shape

Clips = Mapping[FrameKey, Sequence[FrameKey]]
"""Neighbours by target."""


class Votes(NamedTuple):
    """Predictions for a target by the frames of its clip, which :func:`~weclick.memory.fuse.fuse` averages.

    Shape:
        own: (1, C, h, w); warped: (1, N, C, h, w); reliable: bool (1, N, 1, h, w); offsets: (1, N), 0 marks padding.
    """

    own: Tensor
    warped: Tensor
    reliable: Tensor
    offsets: Tensor

    def of(self, positions: slice) -> Votes:
        """Return the votes of the target and of the neighbours at some positions only."""
        return Votes(self.own, self.warped[:, positions], self.reliable[:, positions], self.offsets[:, positions])


@torch.no_grad()
def stream_memory(
    teacher: Teacher,
    flow: FlowEstimator,
    frames: Iterable[Mapping[FrameKey, Tensor | None]],
    wanted: Clips,
    *,
    count: int,
    fusion: Fusion = PLAIN,
) -> Iterator[tuple[FrameKey, SoftLabels]]:
    """Yield the soft labels of each target, equal to those of :func:`~weclick.memory.online.online_memory`.

    Args:
        teacher: As in :func:`stream_votes`, like the following.
        flow: Flow estimator.
        frames: Batches of frames.
        wanted: Neighbours by target.
        count: Neighbours of a target by the settings.
        fusion: Weights of the votes.

    Yields:
        Target and soft labels (batch of 1), in the order of ``wanted``; a damaged target is left out.
    """
    for target, votes in stream_votes(teacher, flow, frames, wanted, count=count):
        yield target, SoftLabels(votes.own, fuse(*votes, fusion))


@torch.no_grad()
def stream_votes(
    teacher: Teacher,
    flow: FlowEstimator,
    frames: Iterable[Mapping[FrameKey, Tensor | None]],
    wanted: Clips,
    *,
    count: int,
) -> Iterator[tuple[FrameKey, Votes]]:
    """Yield the votes on each target, from frames that are read once.

    A frame stays in memory from its arrival to the last target that needs it. With targets in the order of their videos
    that is a window of a few frames, however long the videos are.

    Args:
        teacher: Frozen network, RGB images (B, 3, H, W) in 0..1 to logits.
        flow: Flow estimator.
        frames: Batches for the teacher: image uint8 (3, H, W) by frame, None where it is damaged. Every frame of
            ``wanted`` comes once.
        wanted: Neighbours by target, in the order of the targets.
        count: Neighbours of a target by the settings; those it lacks are padding, and lower the confidence.

    Yields:
        Target and votes, in the order of ``wanted``; a damaged target is left out.
    """
    window, remaining = _Window(teacher, flow, wanted, count), deque(wanted.items())
    for batch in frames:
        window.add(batch)
        ready: list[tuple[FrameKey, Sequence[FrameKey]]] = []
        while remaining and window.is_complete(*remaining[0]):
            ready.append(remaining.popleft())
        window.estimate(ready)
        for target, neighbours in ready:
            votes = window.votes(target, neighbours)
            window.release(target, neighbours)
            if votes is not None:
                yield target, votes


class _Frame(NamedTuple):
    """A frame, uint8 (1, 3, H, W), and the teacher's probabilities, (1, C, h, w)."""

    image: Tensor
    probabilities: Tensor


class _Window:
    """The frames and flows that the remaining targets need."""

    def __init__(self, teacher: Teacher, flow: FlowEstimator, wanted: Clips, count: int) -> None:
        self._teacher, self._flow, self._count = teacher, flow, count
        self._uses = Counter(need for clip in wanted.items() for need in _needs(*clip))
        self._frames: dict[FrameKey, _Frame | None] = {}  # None where it is damaged
        self._flows: dict[tuple[FrameKey, FrameKey], Tensor] = {}

    def add(self, batch: Mapping[FrameKey, Tensor | None]) -> None:
        """Add new frames with the teacher's predictions."""
        self._frames |= dict.fromkeys(batch)
        readable = {key: image for key, image in batch.items() if image is not None}
        maps = map_by_shape(lambda _, images: soft_labels(self._teacher, images.float() / 255), [*readable.values()])
        for (key, image), each in zip(readable.items(), maps, strict=True):
            self._frames[key] = _Frame(image[None], each[None])

    def estimate(self, clips: Iterable[tuple[FrameKey, Sequence[FrameKey]]]) -> None:
        """Estimate the missing flows of clips in both directions, as one batch: an estimator divides it as it works best."""
        images = {key: frame.image for key, frame in self._frames.items() if frame is not None}
        both = [pair for target, keys in clips for key in keys for pair in ((target, key), (key, target))]
        todo = [pair for pair in dict.fromkeys(both) if pair not in self._flows and images.keys() >= set(pair)]
        pairs = {pair: torch.cat([images[key] for key in pair]) for pair in todo if _alike(images, pair)}
        flows = map_by_shape(lambda _, frames: self._flow(*frames.unbind(1)), [*pairs.values()])
        self._flows |= zip(pairs, (flow[None] for flow in flows), strict=True)

    def is_complete(self, target: FrameKey, neighbours: Sequence[FrameKey]) -> bool:
        """Return whether all frames of a clip have been added."""
        return all(key in self._frames for key in (target, *neighbours))

    def votes(self, target: FrameKey, neighbours: Sequence[FrameKey]) -> Votes | None:
        """Return the votes on a target; None if it is damaged. Neighbours that are damaged or of another size are padding."""
        own = self._frames[target]
        if own is None:
            return None
        warped = own.probabilities.new_zeros(1, self._count, *own.probabilities.shape[1:])
        reliable = warped.new_zeros(1, self._count, 1, *warped.shape[-2:], dtype=torch.bool)
        offsets = torch.zeros(1, self._count, dtype=torch.long, device=warped.device)
        frames = {key: frame for key in neighbours if (frame := self._frames[key]) and (target, key) in self._flows}
        if frames:
            positions = [neighbours.index(key) for key in frames]
            maps = torch.cat([frame.probabilities for frame in frames.values()])
            forward = torch.cat([self._flows[target, key] for key in frames])
            backward = torch.cat([self._flows[key, target] for key in frames])
            warped[0, positions], reliable[0, positions] = carry(maps, forward, backward)
            offsets[0, positions] = offsets.new_tensor([key.number - target.number for key in frames])
        return Votes(own.probabilities, warped, reliable, offsets)

    def release(self, target: FrameKey, neighbours: Sequence[FrameKey]) -> None:
        """Drop the frames and flows that no remaining clip needs."""
        for need in _needs(target, neighbours):
            self._uses[need] -= 1
            if not self._uses[need]:
                del self._uses[need]
        self._frames = {key: frame for key, frame in self._frames.items() if frozenset({key}) in self._uses}
        self._flows = {pair: flow for pair, flow in self._flows.items() if frozenset(pair) in self._uses}


def _needs(target: FrameKey, neighbours: Sequence[FrameKey]) -> list[frozenset[FrameKey]]:
    """Return what a clip needs: frames as sets of one, flows in both directions as sets of two."""
    frames = [frozenset({key}) for key in (target, *neighbours)]
    return frames + [frozenset({target, key}) for key in neighbours]


def _alike(images: Mapping[FrameKey, Tensor], pair: tuple[FrameKey, FrameKey]) -> bool:
    return images[pair[0]].shape == images[pair[1]].shape
