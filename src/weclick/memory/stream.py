"""The memory of many targets in one pass: each frame read and judged once, each flow found once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from weclick.conventions import FrameKey
from weclick.flow.estimators import FlowEstimator
from weclick.memory.fuse import PLAIN, Fusion, fuse
from weclick.memory.online import SoftLabels, Teacher, carry, soft_labels

Wanted = Mapping[FrameKey, Sequence[FrameKey]]
"""Targets and the neighbours of each."""


class Votes(NamedTuple):
    """What the frames of a clip say about its target, before :func:`~weclick.memory.fuse` weighs it.

    Shape:
        own: (1, C, h, w); warped: (1, N, C, h, w); trusted: bool (1, N, 1, h, w); offsets: (1, N), 0 marks padding.
    """

    own: Tensor
    warped: Tensor
    trusted: Tensor
    offsets: Tensor

    def of(self, positions: slice) -> Votes:
        """Return the votes without any neighbours but those at some positions."""
        return Votes(self.own, self.warped[:, positions], self.trusted[:, positions], self.offsets[:, positions])


@torch.no_grad()
def stream_memory(
    teacher: Teacher,
    flow: FlowEstimator,
    frames: Iterable[Mapping[FrameKey, Tensor | None]],
    wanted: Wanted,
    *,
    count: int,
    fusion: Fusion = PLAIN,
) -> Iterator[tuple[FrameKey, SoftLabels]]:
    """Yield each target's recall, as :func:`~weclick.memory.online_memory` finds it, from frames that pass by once.

    Arguments are those of :func:`stream_votes`, which says what is held meanwhile, and how votes are weighed.

    Yields:
        Target and recall (batch of 1), in the order of ``wanted``; a damaged target is left out.
    """
    for target, votes in stream_votes(teacher, flow, frames, wanted, count=count):
        yield target, SoftLabels(votes.own, fuse(*votes, fusion))


@torch.no_grad()
def stream_votes(
    teacher: Teacher,
    flow: FlowEstimator,
    frames: Iterable[Mapping[FrameKey, Tensor | None]],
    wanted: Wanted,
    *,
    count: int,
) -> Iterator[tuple[FrameKey, Votes]]:
    """Yield what the frames of each target's clip say about it, from frames that pass by once.

    A frame is held from its arrival to the last target that needs it. With targets in the order of their videos that
    is a window of a few frames, however long the videos are.

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
    window, coming = _Window(teacher, flow, wanted, count), deque(wanted.items())
    for batch in frames:
        window.take(batch)
        while coming and window.holds(*coming[0]):
            target, neighbours = coming.popleft()
            votes = window.votes(target, neighbours)
            window.drop(target, neighbours)
            if votes is not None:
                yield target, votes


class _Seen(NamedTuple):
    """A frame, uint8 (1, 3, H, W), and what the teacher sees in it, (1, C, h, w)."""

    image: Tensor
    soft: Tensor


class _Window:
    """The frames and flows that targets still to come need."""

    def __init__(self, teacher: Teacher, flow: FlowEstimator, wanted: Wanted, count: int) -> None:
        self._teacher, self._flow, self._count = teacher, flow, count
        self._left = Counter(need for clip in wanted.items() for need in _needs(*clip))
        self._seen: dict[FrameKey, _Seen | None] = {}
        self._flows: dict[tuple[FrameKey, FrameKey], Tensor] = {}

    def take(self, batch: Mapping[FrameKey, Tensor | None]) -> None:
        """Let the teacher see new frames."""
        self._seen |= dict.fromkeys(batch)
        sound = {key: image for key, image in batch.items() if image is not None}
        if sound:
            images = torch.stack(list(sound.values()))
            soft = soft_labels(self._teacher, images.float() / 255)
            self._seen |= zip(sound, map(_Seen, images.unsqueeze(1), soft.unsqueeze(1)), strict=True)

    def holds(self, target: FrameKey, neighbours: Sequence[FrameKey]) -> bool:
        """Tell whether all frames of a clip have come."""
        return all(key in self._seen for key in (target, *neighbours))

    def votes(self, target: FrameKey, neighbours: Sequence[FrameKey]) -> Votes | None:
        """Return what is said about a target; None if it is damaged. Damaged neighbours are padding."""
        own = self._seen[target]
        if own is None:
            return None
        warped = own.soft.new_zeros(1, self._count, *own.soft.shape[1:])
        trusted = warped.new_zeros(1, self._count, 1, *own.soft.shape[-2:], dtype=torch.bool)
        offsets = torch.zeros(1, self._count, dtype=torch.long, device=warped.device)
        there = {key: seen.soft for key in neighbours if (seen := self._seen[key]) is not None}
        self._find_flows([pair for key in there for pair in ((target, key), (key, target))])
        for position, key in enumerate(neighbours):
            if key in there:
                carried = carry(there[key], self._flows[target, key], self._flows[key, target])
                warped[:, position], trusted[:, position] = carried
                offsets[:, position] = key.number - target.number
        return Votes(own.soft, warped, trusted, offsets)

    def _find_flows(self, pairs: list[tuple[FrameKey, FrameKey]]) -> None:
        """Find the flows not known yet; all at once, so that the estimator can work on several."""
        new = [pair for pair in pairs if pair not in self._flows]
        if new:
            here, there = (torch.cat([self._image(pair[side]) for pair in new]) for side in (0, 1))
            self._flows |= zip(new, self._flow(here, there).unsqueeze(1), strict=True)

    def _image(self, key: FrameKey) -> Tensor:
        seen = self._seen[key]
        assert seen is not None  # flows of damaged frames are never asked for
        return seen.image

    def drop(self, target: FrameKey, neighbours: Sequence[FrameKey]) -> None:
        """Let go of what only this clip still needed."""
        for need in _needs(target, neighbours):
            self._left[need] -= 1
            if not self._left[need]:
                del self._left[need]
        self._seen = {key: seen for key, seen in self._seen.items() if frozenset({key}) in self._left}
        self._flows = {pair: flow for pair, flow in self._flows.items() if frozenset(pair) in self._left}


def _needs(target: FrameKey, neighbours: Sequence[FrameKey]) -> list[frozenset[FrameKey]]:
    """Return what a clip needs: frames as sets of one, flows in both directions as sets of two."""
    frames = [frozenset({key}) for key in (target, *neighbours)]
    return frames + [frozenset({target, key}) for key in neighbours]
