"""Measuring the memory apart from training: teacher, carried neighbours and fused memory against labelled frames."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple, get_args

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import IGNORE_INDEX
from weclick.data.dataset import DataSet
from weclick.data.index import Clip, FrameKey, Split
from weclick.data.options import ClipOptions
from weclick.errors import ConfigError, DataError
from weclick.memory.fuse import Memory, fuse
from weclick.memory.item import MemoryItem, dequantise, quantise
from weclick.memory.online import SoftLabels
from weclick.memory.options import PLAIN, Fusion, MemoryOptions
from weclick.memory.stream import Votes, stream_votes
from weclick.metrics import CalibrationError, SegmentationScore, scores_from_confusion
from weclick.pipeline.inputs import teacher_checkpoint
from weclick.pipeline.memory import click_rule, frame_batches, neighbour_keys, open_teacher
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.reporting.memory_quality import TEACHER, Figures, Kind, Quality, Source
from weclick.reporting.progress import on_terminal

WITH_OWN: Final = Fusion(own=1.0)


def memory_quality(settings: FitSettings, run: Run, split: Split, max_frames: int | None = None) -> Quality:
    """Measure teacher, carried neighbours and memory on the labelled frames of a split.

    The teacher sees each frame once and each flow is estimated once; all sources use the same votes. Masks of
    neighbours are never read.

    Args:
        settings: Settings of teacher, neighbours, flow and fusion.
        run: Run whose teacher is used if the settings name none.
        split: Split whose labelled frames are the targets.
        max_frames: Largest number of targets, evenly spread.

    Raises:
        ConfigError: The number of neighbours or of frames is 0.
        DataError: There is no labelled frame, none with a neighbour, or a damaged one.
        RunError: There is no teacher.
    """
    dataset, options = settings.dataset, settings.data.clips
    data = settings.make_data(clicks=run.clicks if run.clicks.exists() else None)
    clips = _targets(dataset, options, split, max_frames)
    checkpoint, device = teacher_checkpoint(settings, run), settings.device
    teacher, flow = open_teacher(settings, run, dataset), settings.make_flow(device)
    targets = {clip.target.key: clip.target for clip in clips}
    frames = frame_batches(data, clips, device, lambda damaged: _refuse_damaged(damaged, targets))
    stored = click_rule(settings, data, clips)
    voting = stream_votes(teacher, flow, frames, neighbour_keys(clips), count=options.neighbours)
    scores: dict[Source, _SourceScores] = {}
    hidden, console = not on_terminal(), Console(stderr=True)
    for key, votes in track(voting, "memory", len(clips), disable=hidden, transient=True, console=console):
        label = torch.from_numpy(dataset.reader.labelled(targets[key])[1])[None].to(device).long()
        measured = [*sources(votes, settings.memory.fusion)]
        if settings.memory.by_clicks and data.clicks is not None and key in data.clicks.complete:
            measured += stored_sources(votes, partial(stored, key), settings.memory.fusion)
        _score(scores, measured, label, len(dataset.classes))
    facts = (
        f"{len(clips)} labelled frames of the {split} split of {dataset.root} at {dataset.size[1]}x{dataset.size[0]}; "
        f"{options.neighbours} neighbours ({options.sides}, stride {options.stride}); flow {flow.name}; "
        f"teacher {checkpoint}{_memory_facts(settings.memory)}"
    )
    return Quality(_figures(scores), facts, f"{split}-{options.neighbours}-{options.sides}")


def _memory_facts(memory: MemoryOptions) -> str:
    """Return the memory's options that the names of the table's rows do not state."""
    views, fusion = " on several views" if memory.views else "", memory.fusion
    weights = f"own {fusion.own:g}, certainty {fusion.certainty:g}, decay {fusion.decay:g}"
    stored = " and ".join(name for name in ("connected", "refined") if getattr(memory, name))
    as_set = "" if fusion in (PLAIN, WITH_OWN) else f"; memory as set: {weights}"
    return views + as_set + (f"; stored labels {stored}" if stored else "")


def _targets(dataset: DataSet, options: ClipOptions, split: Split, max_frames: int | None) -> list[Clip]:
    if not options.neighbours:
        raise ConfigError(
            "data.clips.neighbours is 0, so there is nothing to carry; give --data.clips.neighbours 2 or more"
        )
    if max_frames is not None and max_frames < 1:
        raise ConfigError(f"--max_frames must be at least 1, found {max_frames}")
    labelled = dataset.labelled(split)
    if not labelled:
        raise DataError(f"the {split} split of {dataset.root} has no masks to compare with; see data/README.md")
    count = min(max_frames or len(labelled), len(labelled))
    # the middles of equal parts: frames at the ends of videos lack neighbours
    middles = (np.arange(count) + 0.5) * len(labelled) / count
    clips = dataset.clips(split, [labelled[position].key for position in middles.astype(int)], options)
    if not any(clip.neighbours for clip in clips):
        raise DataError(
            f"none of {len(clips)} labelled frames in the {split} split of {dataset.root} has a neighbour; add the frames "
            "around them, or change data.clips.stride, data.clips.sides or --max_frames"
        )
    return clips


def _refuse_damaged(damaged: Mapping[FrameKey, str], targets: Container[FrameKey]) -> None:
    """Refuse a damaged target; warn about a damaged neighbour, without which its target has one vote less."""
    for key, message in damaged.items():
        if key in targets:
            raise DataError(message)
        warnings.warn(f"damaged neighbour left out: {message}", stacklevel=2)


def sources(votes: Votes, fusion: Fusion) -> Iterator[tuple[Source, Votes, Memory]]:
    """Yield the sources of predictions for a target: name, the votes in use, and the memory fused from them.

    Args:
        votes: Votes on one target.
        fusion: Weights of the settings; one more source, unless they are those of a source above.
    """
    yield TEACHER, votes.of(slice(0)), fuse(*votes.of(slice(0)), WITH_OWN)
    for position, offset in enumerate(votes.offsets[0].tolist()):
        if offset:
            one = votes.of(slice(position, position + 1))
            yield Source("neighbour", offset), one, fuse(*one, PLAIN)
    count = votes.offsets.shape[1]
    for number in range(1, count + 1):
        first = votes.of(slice(number))
        yield Source("memory", number), first, fuse(*first, PLAIN)
        yield Source("memory + own", number), first, fuse(*first, WITH_OWN)
    if fusion not in (PLAIN, WITH_OWN):
        yield Source("memory as set", count), votes, fuse(*votes, fusion)


def stored_sources(
    votes: Votes, stored: Callable[[MemoryItem], MemoryItem], fusion: Fusion
) -> Iterator[tuple[Source, Votes, Memory]]:
    """Yield what a store holds of a target: the teacher's own prediction and the memory, after ``stored`` has changed them."""
    item = stored(quantise(SoftLabels(votes.own, fuse(*votes, fusion)))[0])
    labels = dequantise(*(torch.from_numpy(array)[None].to(votes.own.device) for array in item))
    own = votes.of(slice(0))
    yield Source("stored teacher"), own, Memory(labels.teacher, torch.ones_like(labels.memory.confidence))
    yield Source("stored memory"), votes, labels.memory


class Prediction(NamedTuple):
    """A prediction at the label's resolution, all (B, H, W): class ids, their probability, and whether a pixel has one."""

    labels: Tensor
    probability: Tensor
    valid: Tensor


def prediction_at(memory: Memory, size: tuple[int, int]) -> Prediction:
    """Return the prediction of a soft label at the label's resolution.

    Class ids are those of :func:`~weclick.inference.rules.class_ids`. A pixel is valid if the cell it lies in is; its
    probabilities are interpolated among valid cells only.
    """
    # invalid cells are 0 in all classes, so the interpolated sum over classes is the weight of the valid ones
    maps = torch.cat([memory.probabilities, memory.probabilities.sum(1, keepdim=True)], 1).float()
    enlarged = F.interpolate(maps, size, mode="bilinear", align_corners=False)
    valid = F.interpolate((memory.confidence > 0).float(), size, mode="nearest-exact")[:, 0] > 0
    top, weight = enlarged[:, :-1].max(1), enlarged[:, -1]
    return Prediction(top.indices, (top.values / weight.clamp(min=1e-6)).clamp(max=1), valid)


class _Scores:
    """Accuracy and calibration of predictions."""

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.score, self.calibration = SegmentationScore(num_classes).to(device), CalibrationError().to(device)

    def update(self, prediction: Prediction, label: Tensor) -> None:
        self.score.update(prediction.labels, label)
        self.calibration.update(prediction.labels, prediction.probability, label)


class _SourceScores:
    """Scores of a source, and of the teacher on the same pixels."""

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.source, self.teacher = _Scores(num_classes, device), _Scores(num_classes, device)
        self.frames = self.neighbours = self.distance = 0

    def update(self, prediction: Prediction, teacher: Prediction, label: Tensor, offsets: Tensor) -> None:
        there = label.masked_fill(~prediction.valid, IGNORE_INDEX)
        self.source.update(prediction, there)
        self.teacher.update(teacher, there)
        self.frames += 1
        # an offset of 0 stands for a missing neighbour
        self.neighbours += int(offsets.count_nonzero())
        self.distance += int(offsets.abs().sum())

    def figures(self, everywhere: np.ndarray) -> Figures:
        """Return the figures; ``everywhere`` is the teacher's confusion matrix over all frames and pixels."""
        own, teacher = self.source.score.compute(), self.teacher.score.compute()
        return Figures(
            miou=own.miou,
            teacher_miou=teacher.miou,
            # counts are sums over pixels, so the teacher's can be replaced where the source has a prediction
            filled_miou=scores_from_confusion(everywhere - teacher.confusion + own.confusion).miou,
            coverage=float(own.confusion.sum() / everywhere.sum()),
            ece=self.source.calibration.compute(),
            teacher_ece=self.teacher.calibration.compute(),
            distance=self.distance / self.neighbours if self.neighbours else float("nan"),
            frames=self.frames,
        )


def _score(
    scores: dict[Source, _SourceScores],
    measured: Iterable[tuple[Source, Votes, Memory]],
    label: Tensor,
    num_classes: int,
) -> None:
    """Add the predictions of all sources for one target; the first is the teacher."""
    size, teacher = (label.shape[-2], label.shape[-1]), None
    for source, used, memory in measured:
        prediction = prediction_at(memory, size)
        teacher = teacher or prediction
        own = scores.setdefault(source, _SourceScores(num_classes, label.device))
        own.update(prediction, teacher, label, used.offsets)


def _figures(scores: Mapping[Source, _SourceScores]) -> dict[Source, Figures]:
    everywhere = scores[TEACHER].source.score.compute().confusion
    if not everywhere.any():
        raise DataError("the masks hold no pixel of any class; see weclick data check")
    kinds = get_args(Kind)
    order = sorted(scores, key=lambda source: (kinds.index(source.kind), abs(source.number), source.number))
    return {source: scores[source].figures(everywhere) for source in order}
