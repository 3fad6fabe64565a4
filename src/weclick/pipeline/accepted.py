"""The accepted labels of a run, written as label maps before a training learns from them."""

from __future__ import annotations

import hashlib
import json

from lightning.pytorch.utilities import rank_zero_info

from weclick.clicks import ClickStore
from weclick.clicks.grow import grown_size
from weclick.clicks.labels import sure_labels
from weclick.conventions import FrameKey
from weclick.data.datamodule import ClipDataModule
from weclick.data.label_maps import AcceptedLabels, LabelMaps
from weclick.pipeline.inputs import data_facts, run_data
from weclick.pipeline.processes import first_process_first
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings


def accepted_supply(settings: FitSettings, run: Run) -> AcceptedLabels:
    """Return the supply of the run's accepted labels; they are written as label maps if they are not yet.

    Raises:
        ClickError: A label in the run's store is damaged.
    """
    data = run_data(settings, run)
    targets = _targets(data)
    facts = [data_facts(settings, data).get("clicks"), settings.data.clicks.sure, data.dataset.size]
    folder = run.folder / "accepted" / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
    maps = LabelMaps(folder)
    with first_process_first():  # the others then find all of them
        _write(data, targets, maps, settings.data.clicks.sure)
    return AcceptedLabels(maps, targets)


def _targets(data: ClipDataModule) -> frozenset[FrameKey]:
    accepted = data.clicks.accepted if data.clicks is not None else frozenset()
    return accepted & {clip.target.key for clip in data.clips}


def _write(data: ClipDataModule, targets: frozenset[FrameKey], maps: LabelMaps, sure: float) -> None:
    todo = sorted(key for key in targets if not maps.path(key).exists())
    if not todo:
        return
    assert data.clicks is not None and data.clicks.store is not None
    rank_zero_info(f"accepted labels: {len(todo)} frames")
    with ClickStore(data.clicks.store, data.dataset.classes, readonly=True) as store:
        for key in todo:
            label = store.label(key)
            assert label is not None  # the run's store does not change
            frame = (label.ids.shape[0], label.ids.shape[1])
            maps.write(key, sure_labels(label, grown_size(data.dataset.reader.working_size(frame)), sure))
