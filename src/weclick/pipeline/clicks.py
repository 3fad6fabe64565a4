"""The clicks a run learns from: its own from the beginning on, so that what is clicked meanwhile changes nothing for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info

from weclick.clicks import CLICKS_FILE, ClickStore, copy_store
from weclick.data.decode import locked
from weclick.data.masks import find_click_store, require_masks, simulate_split
from weclick.data.unused import unused_messages
from weclick.errors import DataError
from weclick.files import writing
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings

FindStore = Callable[[FitSettings], Path | None]
"""Finds the store to copy; None where clicks are simulated."""


def store_in_use(settings: FitSettings) -> Path | None:
    """Return the click store that a new run trains from; None where clicks are simulated.

    Reports what in the data is not trained from.

    Raises:
        DataError: It is missing, cannot be read, or has nothing to train from; or there are neither clicks nor masks.
    """
    layout = settings.dataset.layout
    store = find_click_store(layout, _given_store(settings))
    if store is None:
        require_masks(layout)
    else:
        _report_unused(settings, store)
    return store


def take_clicks(settings: FitSettings, run: Run, find: FindStore = store_in_use) -> None:
    """Let a run begin with a copy of a store, or with clicks simulated from the masks; those it has it keeps.

    Args:
        settings: The run's.
        run: Gets the clicks; of several processes one makes them.
        find: Finds the store.

    Raises:
        DataError: There are no clicks and no masks, or the run's folder cannot be written.
    """
    if run.clicks.exists() or settings.data.supervision == "masks":
        return
    with writing(run.clicks):
        run.folder.mkdir(parents=True, exist_ok=True)
        with locked(run.folder / ".clicks.lock"):
            if not run.clicks.exists():  # else another process was faster
                store = find(settings)
                if store is None:
                    _simulate(settings, run.clicks)
                else:
                    copy_store(store, run.clicks, settings.dataset.classes)


def clicks_of(run: Run) -> FindStore:
    """Let a run begin with the clicks of another, if that has its own."""
    return lambda settings: run.clicks if run.clicks.exists() else store_in_use(settings)


def clicks_of_comparison(folder: Path) -> FindStore:
    """Let all rows of a comparison begin with the same clicks: the first row's store is copied into ``folder``, too.

    Where the first row simulated its clicks, all do, by their seeds.
    """

    def find(settings: FitSettings) -> Path | None:
        with locked(folder / ".clicks.lock"):
            own = begun_with(folder)
            if own is None and (store := store_in_use(settings)) is not None:
                own = folder / CLICKS_FILE
                copy_store(store, own, settings.dataset.classes)
        return own if own == folder / CLICKS_FILE else None

    return find


def begun_with(folder: Path) -> Path | None:
    """Return the clicks a comparison began with: the copy all rows share, else those a row simulated."""
    places = (folder / CLICKS_FILE, *sorted(folder.glob(f"*/{CLICKS_FILE}")))
    return next((path for path in places if path.exists()), None)


def report_newer_clicks(settings: FitSettings, own: Path) -> None:
    """Print one line if the store in use holds other clicks than ``own``, the copy that is trained from."""
    if not own.exists():
        return
    dataset, given = settings.dataset, _given_store(settings)
    with ClickStore(own, dataset.classes, readonly=True) as store:
        count, fingerprint = len(store.records()), store.fingerprint()
    try:
        live = find_click_store(dataset.layout, given)
        if live is None:
            return
        with ClickStore(live, dataset.classes, readonly=True) as store:
            if store.fingerprint() == fingerprint:
                return
        now = f"{live} has changed since: a new run uses its clicks"
    except DataError:
        now = f"{given or dataset.root / CLICKS_FILE} cannot be read any more"
    rank_zero_info(f"trains on the {count} clicks it began with ({own}); {now}")


def _given_store(settings: FitSettings) -> Path | None:
    return Path(settings.data.clicks.store) if settings.data.clicks.store else None


def _simulate(settings: FitSettings, path: Path) -> None:
    chosen, layout = settings.data.clicks, settings.dataset.layout
    count = simulate_split(layout, "train", path, rule=chosen.rule, min_area=chosen.min_area, seed=settings.seed)
    rank_zero_info(f"no clicks in {layout.root}: simulated {count} from its masks into {path}")
    _report_unused(settings, path)


def _report_unused(settings: FitSettings, store: Path) -> None:
    """Print what in the data set is not trained from, a line each; refuse a store with nothing to train from."""
    data = settings.make_data(clicks=store)
    clips, clicks = data.clips, data.clicks
    assert clips and clicks is not None  # else clips would have raised; a run of masks takes no clicks
    for line in unused_messages(data.dataset.layout, clicks.stored, clicks.clicks):
        rank_zero_info(line)
