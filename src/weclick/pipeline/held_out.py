"""Clicks that no training reads: selected when a run takes its clicks, and measured with where there are no masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info

from weclick.clicks import Click, ClickStore
from weclick.clicks.budget import LEAST_TO_HOLD_OUT, frames_to_hold_out
from weclick.conventions import FrameKey
from weclick.data.dataset import DataSet
from weclick.data.held_out import HeldOutLabels
from weclick.data.index import SPLITS, Split
from weclick.data.unused import first_names
from weclick.errors import NoLabelsError, RunError
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings


def select_held_out(settings: FitSettings, store: Path) -> list[FrameKey]:
    """Select the frames that a run holds out from the clicks of a store, and print which; none where there are masks."""
    dataset, share = settings.dataset, settings.data.clicks.held_out
    if not share or any(dataset.labelled(split) for split in SPLITS):
        return []
    with ClickStore(store, dataset.classes, readonly=True) as opened:
        stored, accepted = opened.all_clicks(), opened.accepted()
    train = {frame.key for frame in dataset.layout.frames("train")}
    clicked = sorted(stored.keys() & train)
    selected = frames_to_hold_out(clicked, share)
    if not selected:
        rank_zero_info(
            f"held out to measure with: nothing, as only {len(clicked)} frames are clicked; from {LEAST_TO_HOLD_OUT} on, some are"
        )
        return []
    trained = sorted(set(clicked) - set(selected))
    _report(selected, trained, stored, dataset)
    last = {key.video: key.number for key in trained}
    videos = {key.video for key in selected}
    # accepted frames without a click of the same part too: they would be trained from
    aside = (key for key in accepted if key in train and key.video in videos and key.number > last.get(key.video, -1))
    return sorted({*selected, *aside})


def _report(
    selected: Sequence[FrameKey],
    trained: Sequence[FrameKey],
    clicks: Mapping[FrameKey, Sequence[Click]],
    dataset: DataSet,
) -> None:
    """Print what is held out, and the classes that are left without a click to learn from."""
    videos = list(dict.fromkeys(key.video for key in selected))
    cut = any(key.video in videos for key in trained)
    place = f"the end of video {videos[0]}" if cut else f"video{'s' * (len(videos) > 1)} {first_names(videos)}"
    classes, learned = ([click.class_id for key in keys for click in clicks[key]] for keys in (selected, trained))
    counts = f"{len(selected)} of {len(selected) + len(trained)} clicked frames ({len(classes)} clicks)"
    rank_zero_info(f"held out to measure with: {counts}, {place}")
    if only := sorted(set(classes) - set(learned)):
        names = first_names([dataset.classes.names[class_id] for class_id in only])
        rank_zero_info(
            f"clicked only in held-out frames, so never learned: {names}; click them elsewhere too, or set "
            "data.clicks.held_out to 0"
        )


def measurable(settings: FitSettings, run: Run, split: Split) -> tuple[FitSettings, Split]:
    """Return the settings and the split to evaluate with: the masks of ``split`` or, without, the run's held-out clicks.

    Raises:
        NoLabelsError: There are neither.
    """
    dataset = settings.dataset
    if dataset.labelled(split):
        return settings, split
    clicks = settings.make_data(clicks=run.clicks).clicks if run.clicks.exists() else None
    if clicks is None or not any(clicks.held_out.values()):
        raise NoLabelsError(
            f"{dataset.root} has no masks in its {split} split, and {run.folder} holds no clicks out, to evaluate with; add "
            f"masks (data/README.md shows where), or click {LEAST_TO_HOLD_OUT} frames or more and train a new run; "
            "weclick predict draws predictions without any"
        )
    labels = HeldOutLabels(dataset.layout, clicks.held_out, clicks.sizes)
    return settings.on(DataSet(labels, dataset.size)), "train"


def refuse_other_checkpoint(run: Run, path: Path) -> None:
    """Refuse to measure a network of another run with the clicks that this run held out.

    Raises:
        RunError: The checkpoint is not the run's own.
    """
    if not path.resolve().is_relative_to(run.folder.resolve()):
        raise RunError(
            f"{path} is not of {run.folder}, so it may be trained from the clicks that {run.name} held out; without masks, only "
            "networks of the run itself can be measured"
        )


def measures_with_clicks(dataset: DataSet) -> bool:
    """Return whether the labels of a data set are held-out clicks."""
    return isinstance(dataset.layout, HeldOutLabels)
