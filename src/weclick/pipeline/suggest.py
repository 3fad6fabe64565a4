"""Suggesting frames to click next: those where a student is uncertain, flickers, or contradicts clicks nearby."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from itertools import pairwise
from math import exp, inf, isnan, nan
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from weclick.clicks import Click, ClickStore
from weclick.clicks.budget import spread_frames
from weclick.conventions import Size, places_on_grid
from weclick.data.dataset import DataSet
from weclick.data.index import Frame, FrameKey, Layout, Split
from weclick.errors import ConfigError, DataError
from weclick.flow.estimators import DISFlow
from weclick.images import first_size
from weclick.inference.model import Model
from weclick.inference.rules import image_batch
from weclick.memory.online import carry, soft_labels

MOST: Final = 400
"""Largest number of frames that are examined, evenly spread over a split."""

Progress = Callable[[int, int], None]


class Suggestion(NamedTuple):
    """A frame to click, and why. Reasons are shares in 0..1, NaN where they cannot be computed.

    Args:
        key: The frame.
        unsure: Mean over pixels of 1 minus the margin between the two most probable classes.
        unsteady: Share of pixels whose label changes in the next frame, where the flow between both is reliable.
        contradicted: Share of the clicks on the nearest clicked frame of the video that the student contradicts.
    """

    key: FrameKey
    unsure: float
    unsteady: float = nan
    contradicted: float = nan

    @property
    def score(self) -> float:
        """Sum of the reasons that are not NaN."""
        return sum(reason for reason in self[1:] if not isnan(reason))


def suggest(
    student: Model,
    dataset: DataSet,
    split: Split,
    store: ClickStore | None,
    *,
    count: int,
    most: int = MOST,
    progress: Progress | None = None,
) -> list[Suggestion]:
    """Return frames to click next, the most useful first; none if all are clicked or skipped. See :func:`choose`.

    A damaged frame is left out with a warning.

    Args:
        student: The trained student.
        dataset: The data set, at the student's size.
        split: Split to choose from. Frames that are done, skipped or clicked are left out.
        store: The clicks so far, if any.
        count: Largest number of frames to return.
        most: Largest number of frames to examine, evenly spread.
        progress: Called with (frames examined, frames to examine).

    Raises:
        ConfigError: A number is not positive.
    """
    if count < 1 or most < 1:
        raise ConfigError(f"--count {count} and --most {most} must be at least 1")
    segments = dataset.segments(split)
    frames = {frame.key: frame for segment in segments for frame in segment.frames}
    following = {one.key: two for segment in segments for one, two in pairwise(segment.frames)}
    records = {key: record for key, record in store.frames().items() if key in frames} if store else {}
    clicks = {key: made for key, made in store.all_clicks().items() if key in frames} if store else {}
    closed = {key for key, record in records.items() if record.status != "todo"} | clicks.keys()
    clicked, todo = _at_most(clicks, most), _at_most(frames.keys() - closed, most)
    examiner, wrong, candidates = _Examiner(student, dataset), dict[FrameKey, float](), list[Suggestion]()
    # clicked frames first, as the others use the result of the nearest one
    for done, key in enumerate([*clicked, *todo], start=1):
        try:
            if key in clicks:
                wrong[key] = examiner.contradicted(frames[key], clicks[key], records[key].size)
            else:
                unsure, unsteady = examiner.doubts(frames[key], following.get(key))
                candidates.append(Suggestion(key, unsure, unsteady, _nearest(wrong, key)))
        except DataError as error:
            warnings.warn(f"damaged frame left out: {error}", stacklevel=2)
        if progress is not None:
            progress(done, len(clicked) + len(todo))
    return choose(candidates, closed, count)


def suggest_with(
    student: Model,
    layout: Layout,
    store: Path,
    *,
    split: Split,
    count: int,
    most: int = MOST,
    progress: Progress | None = None,
) -> list[Suggestion]:
    """Return frames of a data set to click next, for a student of its classes; see :func:`suggest`."""
    dataset = DataSet(layout, student.size)
    with ClickStore(store, layout.classes, readonly=True) if store.exists() else nullcontext() as clicks:
        return suggest(student, dataset, split, clicks, count=count, most=most, progress=progress)


def choose(candidates: Sequence[Suggestion], closed: Collection[FrameKey], count: int) -> list[Suggestion]:
    """Choose frames one after the other by score, weighted by their distance from frames that are closed or chosen already.

    The weight is ``1 - exp(-d / D)``, with d the distance in frame numbers to the nearest such frame of the video, and D its
    average if ``count`` of the candidates were chosen evenly.

    Args:
        candidates: Frames to choose from.
        closed: Frames that are clicked or skipped already.
        count: Largest number of frames to choose.
    """
    left, chosen = {suggestion.key: suggestion for suggestion in candidates}, list[Suggestion]()
    gaps = {key: _distance(closed, key) for key in left}
    usual = _usual_distance(left, count)
    while left and len(chosen) < count:
        best = max(left, key=lambda key: left[key].score * (1 - exp(-gaps[key] / usual)))
        chosen.append(left.pop(best))
        gaps = {key: min(gap, _distance([best], key)) for key, gap in gaps.items()}
    return chosen


def _usual_distance(keys: Collection[FrameKey], count: int) -> float:
    numbers: dict[str, list[int]] = {}
    for key in keys:
        numbers.setdefault(key.video, []).append(key.number)
    covered = sum(max(own) - min(own) for own in numbers.values())
    return max(1.0, covered / count)


def _distance(others: Collection[FrameKey], key: FrameKey) -> float:
    return min((abs(other.number - key.number) for other in others if other.video == key.video), default=inf)


def _nearest(shares: Mapping[FrameKey, float], key: FrameKey) -> float:
    """Return the share of the nearest frame of the same video."""
    own = [other for other in shares if other.video == key.video]
    return shares[min(own, key=lambda other: abs(other.number - key.number))] if own else nan


def _at_most(keys: Collection[FrameKey], most: int) -> list[FrameKey]:
    return spread_frames(keys, min(1.0, most / len(keys))) if keys else []


class _Examiner:
    """Computes the reasons to click a frame."""

    def __init__(self, student: Model, dataset: DataSet) -> None:
        self._student, self._dataset, self._flow = student, dataset, DISFlow()

    @torch.inference_mode()
    def doubts(self, frame: Frame, following: Frame | None) -> tuple[float, float]:
        """Return how uncertain the student is on a frame, and how unsteady."""
        image = self._read(frame)
        here = soft_labels(self._student.logits, image)
        first, second = here.topk(2, dim=1).values.unbind(1)
        unsure = float((1 - (first - second)).mean())
        if following is None:
            return unsure, nan
        try:
            later = self._read(following)
        except DataError:  # the next frame is damaged, but this one can be clicked
            return unsure, nan
        warped, trusted = carry(
            soft_labels(self._student.logits, later), self._flow(image, later), self._flow(later, image)
        )
        changed = (here.argmax(1) != warped.argmax(1))[trusted[:, 0]]
        return unsure, float(changed.float().mean()) if len(changed) else nan

    @torch.inference_mode()
    def contradicted(self, frame: Frame, clicks: Sequence[Click], size: Size | None) -> float:
        """Return the share of a frame's clicks where the student predicts another class."""
        labels = soft_labels(self._student.logits, self._read(frame)).argmax(1)[0]
        places = places_on_grid(clicks, size or first_size([frame.image]), (labels.shape[0], labels.shape[1]))
        return sum(int(labels[row, column]) != class_id for row, column, class_id in places) / len(places)

    def _read(self, frame: Frame) -> Tensor:
        return image_batch(self._dataset.reader.image(frame), self._student.device)
