"""Growing the clicks of a run before a training that learns from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator

from lightning.pytorch.utilities import rank_zero_info

from weclick.data.datamodule import ClipDataModule
from weclick.data.index import Clip
from weclick.data.label_maps import GrownLabels, LabelMaps
from weclick.pipeline.inputs import data_facts, run_data
from weclick.pipeline.interrupt import SignalNote
from weclick.pipeline.processes import in_step, own_share, wait_for_all
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.reporting.progress import progress_bar


def grow_clicks(settings: FitSettings, run: Run) -> None:
    """Grow the clicks of every target on which each region was clicked; those that are grown already are kept.

    Raises:
        Interrupted: A signal was received; the labels made so far are stored.
    """
    data = run_data(settings, run)
    targets = _targets(data)
    if not targets:
        rank_zero_info("grown clicks: none, as no target has a click on every region")
        return
    store = _store(settings, run, data)
    todo = [clip for clip in targets if not store.path(clip.target.key).exists()]
    wait_for_all()  # before one writes: all must divide the same targets
    rank, processes = own_share()
    own = todo[rank::processes]
    if todo:
        rank_zero_info(f"grown clicks: {len(todo)} of {len(targets)} targets to do")
    signals = SignalNote()
    with signals.listening(), progress_bar("growing clicks") as show:
        for done, _ in enumerate(in_step(_grow(data, store, own), signals), start=1):
            show(done, len(own))


def _grow(data: ClipDataModule, store: LabelMaps, clips: list[Clip]) -> Generator[None, None, None]:
    for [sample] in data.growing_loader(clips) if clips else ():
        if "damaged" in sample:
            data.count_damaged([sample["damaged"]])
        else:
            store.write(sample["key"], sample["labels"])
        yield


def grown_supply(settings: FitSettings, run: Run) -> GrownLabels:
    """Return the supply of the labels that :func:`grow_clicks` made."""
    data = run_data(settings, run)
    targets = _targets(data)
    store = _store(settings, run, data)
    made = frozenset(clip.target.key for clip in targets if store.path(clip.target.key).exists())
    return GrownLabels(store, made)


def _targets(data: ClipDataModule) -> list[Clip]:
    """Return the targets whose clicks can grow: those with a click on every region."""
    complete = data.clicks.complete if data.clicks is not None else frozenset()
    return [clip for clip in data.clips if clip.target.key in complete]


def _store(settings: FitSettings, run: Run, data: ClipDataModule) -> LabelMaps:
    """Return the store of these clicks, size and share; others have another folder."""
    facts = [data_facts(settings, data).get("clicks"), settings.data.clicks.grow, data.dataset.size]
    folder = run.folder / "grown" / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
    return LabelMaps(folder)
