"""How good the memory is, apart from training: the teacher alone beside what is carried and fused, on labelled frames."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator, Mapping
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
from weclick.flow.estimators import make_flow
from weclick.memory import PLAIN, Fusion, Memory, fuse
from weclick.memory.stream import Votes, stream_votes
from weclick.metrics import CalibrationError, SegmentationScore, scores_from_confusion
from weclick.pipeline.inputs import teacher_checkpoint
from weclick.pipeline.memory import frame_batches, neighbour_keys, open_teacher
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings, MemoryOptions
from weclick.reporting.memory_quality import TEACHER, Figures, Kind, Quality, Source
from weclick.reporting.progress import on_terminal

WITH_OWN: Final = Fusion(own=1.0)


def memory_quality(settings: FitSettings, run: Run, split: Split, max_frames: int | None = None) -> Quality:
    """Measure teacher, carried neighbours and memory on the labelled frames of a split.

    The teacher sees each frame once and each flow is found once; all sources are made from the same votes. Masks of
    neighbours are never read.

    Args:
        settings: Of teacher, neighbours, flow and fusion.
        run: Its teacher is used, if the settings name none.
        split: Its labelled frames are the targets.
        max_frames: At most so many of them, evenly spread.

    Raises:
        ConfigError: No neighbours are asked for, or no frames.
        DataError: There is no labelled frame, none with a neighbour, or a damaged one.
        RunError: There is no teacher.
    """
    data, dataset, clips = settings.make_data(), settings.dataset, settings.data.clips
    found = _targets(dataset, clips, split, max_frames)
    checkpoint, device = teacher_checkpoint(settings, run), settings.device
    teacher, flow = open_teacher(settings, run, dataset), make_flow(settings.memory.flow, device)
    targets = {clip.target.key: clip.target for clip in found}
    frames = frame_batches(data, found, device, lambda damaged: _refuse_damaged(damaged, targets))
    voting = stream_votes(teacher, flow, frames, neighbour_keys(found), count=clips.neighbours)
    tallies: dict[Source, _Tally] = {}
    hidden, console = not on_terminal(), Console(stderr=True)
    for key, votes in track(voting, "memory", len(found), disable=hidden, transient=True, console=console):
        label = torch.from_numpy(dataset.reader.labelled(targets[key])[1])[None].to(device).long()
        _count(tallies, votes, label, settings.memory.fusion, len(dataset.classes))
    facts = (
        f"{len(found)} labelled frames of the {split} split of {dataset.root}, seen at {dataset.size[1]}x{dataset.size[0]}; "
        f"{clips.neighbours} neighbours ({clips.sides}, stride {clips.stride}); flow {flow.name}; teacher {checkpoint}"
    )
    setting = f"{split}-{clips.neighbours}-{clips.sides}"
    return Quality(_figures(tallies), facts + _chosen(settings.memory), setting)


def _chosen(memory: MemoryOptions) -> str:
    """Name the settings that the rows' names do not tell."""
    views, fusion = " on several views" if memory.views else "", memory.fusion
    weights = f"own {fusion.own:g}, certainty {fusion.certainty:g}, decay {fusion.decay:g}"
    return views if fusion in (PLAIN, WITH_OWN) else f"{views}; memory as set: {weights}"


def _targets(dataset: DataSet, options: ClipOptions, split: Split, max_frames: int | None) -> list[Clip]:
    if not options.neighbours:
        raise ConfigError(
            "data.clips.neighbours is 0, which leaves nothing to carry; give --data.clips.neighbours 2 or more"
        )
    if max_frames is not None and max_frames < 1:
        raise ConfigError(f"--max_frames must be at least 1, found {max_frames}")
    labelled = dataset.labelled(split)
    if not labelled:
        raise DataError(f"the {split} split of {dataset.root} has no masks to compare with; see data/README.md")
    count = min(max_frames or len(labelled), len(labelled))
    middles = (np.arange(count) + 0.5) * len(labelled) / count  # of equal stretches: ends of videos lack neighbours
    keys = [labelled[position].key for position in middles.astype(int)]
    found = dataset.clips(split, keys, options)
    if not any(clip.neighbours for clip in found):
        raise DataError(
            f"none of {len(found)} labelled frames in the {split} split of {dataset.root} has a neighbour; add the frames "
            "around them, or change data.clips.stride, data.clips.sides or --max_frames"
        )
    return found


def _refuse_damaged(damaged: Mapping[FrameKey, str], targets: Container[FrameKey]) -> None:
    """Stop at a target; without a neighbour a target has one vote less."""
    for key, message in damaged.items():
        if key in targets:
            raise DataError(message)
        warnings.warn(f"damaged neighbour left out: {message}", stacklevel=2)


def sources(votes: Votes, fusion: Fusion) -> Iterator[tuple[Source, Votes, Memory]]:
    """Yield everyone who says something about a target: name, the votes that are asked, and what they make together.

    Args:
        votes: On one target.
        fusion: Of the settings; a source of its own if it is neither the plain average nor that with the own vote.
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


class Answer(NamedTuple):
    """What a source says at the label's resolution, all (B, H, W): class ids, their probability, and where it knows."""

    prediction: Tensor
    probability: Tensor
    known: Tensor


def answer(memory: Memory, size: tuple[int, int]) -> Answer:
    """Bring a soft label to the label's resolution.

    A pixel is known if the cell it lies in is; its probabilities
    are interpolated among known cells only.
    """
    # cells about which nothing is known are 0 in all classes, so the sum is the weight of the known ones
    maps = torch.cat([memory.probabilities, memory.probabilities.sum(1, keepdim=True)], 1).float()
    enlarged = F.interpolate(maps, size, mode="bilinear", align_corners=False)
    known = F.interpolate((memory.confidence > 0).float(), size, mode="nearest-exact")[:, 0] > 0
    top, weight = enlarged[:, :-1].max(1), enlarged[:, -1]
    return Answer(top.indices, (top.values / weight.clamp(min=1e-6)).clamp(max=1), known)


class _Judge:
    """Scores and calibration of answers."""

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.score, self.calibration = SegmentationScore(num_classes).to(device), CalibrationError().to(device)

    def update(self, said: Answer, label: Tensor) -> None:
        self.score.update(said.prediction, label)
        self.calibration.update(said.prediction, said.probability, label)


class _Tally:
    """What is counted of a source, and of the teacher on the same pixels."""

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.source, self.teacher = _Judge(num_classes, device), _Judge(num_classes, device)
        self.frames = self.asked = self.distance = 0

    def update(self, said: Answer, teacher: Answer, label: Tensor, offsets: Tensor) -> None:
        there = label.masked_fill(~said.known, IGNORE_INDEX)
        self.source.update(said, there)
        self.teacher.update(teacher, there)
        self.frames += 1
        self.asked += int(offsets.count_nonzero())
        self.distance += int(offsets.abs().sum())

    def figures(self, everything: np.ndarray) -> Figures:
        """Return the figures; ``everything`` is the teacher's confusion matrix over all frames and pixels."""
        mine, teacher = self.source.score.compute(), self.teacher.score.compute()
        return Figures(
            miou=mine.miou,
            teacher_miou=teacher.miou,
            # pixels add up: those of the teacher are replaced where the source knows something
            filled_miou=scores_from_confusion(everything - teacher.confusion + mine.confusion).miou,
            coverage=float(mine.confusion.sum() / everything.sum()),
            ece=self.source.calibration.compute(),
            teacher_ece=self.teacher.calibration.compute(),
            distance=self.distance / self.asked if self.asked else float("nan"),
            frames=self.frames,
        )


def _count(tallies: dict[Source, _Tally], votes: Votes, label: Tensor, fusion: Fusion, num_classes: int) -> None:
    """Count what all sources say about one target."""
    size, teacher = (label.shape[-2], label.shape[-1]), None
    for source, asked, memory in sources(votes, fusion):
        said = answer(memory, size)
        teacher = teacher or said  # the first source
        tally = tallies.setdefault(source, _Tally(num_classes, label.device))
        tally.update(said, teacher, label, asked.offsets)


def _figures(tallies: Mapping[Source, _Tally]) -> dict[Source, Figures]:
    everything = tallies[TEACHER].source.score.compute().confusion
    if not everything.any():
        raise DataError("the masks hold no pixel of any class; see weclick data check")
    kinds = get_args(Kind)
    order = sorted(tallies, key=lambda source: (kinds.index(source.kind), abs(source.number), source.number))
    return {source: tallies[source].figures(everything) for source in order}
