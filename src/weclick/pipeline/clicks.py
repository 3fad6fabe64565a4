"""The clicks a run learns from: its own from the beginning on, so that what is clicked meanwhile changes nothing for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info

from weclick.clicks import CLICKS_FILE, ClickStore, copy_store
from weclick.data.datamodule import ClipDataModule
from weclick.data.decode import locked
from weclick.data.masks import found_store, require_masks, simulate_split
from weclick.data.unused import left_out
from weclick.errors import DataError
from weclick.files import writing
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings

FindStore = Callable[[FitSettings], Path | None]
"""Finds the store to copy; None where clicks are simulated."""


def store_in_use(settings: FitSettings) -> Path | None:
    """Return the click store that a run which begins now learns from; None where clicks are simulated.

    What of the data is not learned from is told.

    Raises:
        DataError: It is missing, cannot be read, or nothing can be trained from it; or there are neither clicks nor masks.
    """
    data = settings.make_data()
    store = found_store(data.layout, data.clicks_path)
    if store is None:
        require_masks(data.layout)
    else:
        data.clicks_path = store
        data.clips()  # refuses under the name of the store that can be mended
        _tell_of_left_out(data, store)
    return store


def take_clicks(settings: FitSettings, run: Run, find: FindStore = store_in_use) -> None:
    """Let a run begin with a copy of a store, or with clicks simulated from the masks; those it has it keeps.

    A run that began before runs had clicks of their own gets none: only what it noted tells which they were.

    Args:
        settings: The run's.
        run: Gets the clicks; of several processes one makes them.
        find: Finds the store.

    Raises:
        DataError: There are no clicks and no masks, or the run's folder cannot be written.
    """
    if run.clicks.exists() or run.has_begun or settings.make_data().supervision == "masks":
        return
    with writing(run.clicks):
        run.folder.mkdir(parents=True, exist_ok=True)
        with locked(run.folder / ".clicks.lock"):
            if not run.clicks.exists():  # else another process was faster
                store = find(settings)
                if store is None:
                    _simulate(settings, run.clicks)
                else:
                    copy_store(store, run.clicks, settings.make_data().classes)


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
                copy_store(store, own, settings.make_data().classes)
        return own if own == folder / CLICKS_FILE else None

    return find


def begun_with(folder: Path) -> Path | None:
    """Return the clicks a comparison began with: the copy all rows share, else those a row simulated."""
    places = (folder / CLICKS_FILE, *sorted(folder.glob(f"*/{CLICKS_FILE}")))
    return next((path for path in places if path.exists()), None)


def tell_of_others(settings: FitSettings, own: Path) -> None:
    """Say in one line that the store in use holds other clicks than those in ``own``, which are trained from."""
    if not own.exists():
        return
    data = settings.make_data()
    with ClickStore(own, data.classes, readonly=True) as store:
        count, fingerprint = len(store.records()), store.fingerprint()
    try:
        live = found_store(data.layout, data.clicks_path)
        if live is None:
            return
        with ClickStore(live, data.classes, readonly=True) as store:
            if store.fingerprint() == fingerprint:
                return
        now = f"{live} holds others by now: a new run takes them up"
    except DataError:
        now = f"{data.clicks_path or data.root / CLICKS_FILE} cannot be read any more"
    rank_zero_info(f"trains on the {count} clicks it began with ({own}); {now}")


def _simulate(settings: FitSettings, path: Path) -> None:
    data = settings.make_data()
    count = simulate_split(
        data.layout, "train", path, rule=data.click_rule, min_area=data.click_min_area, seed=data.seed
    )
    rank_zero_info(f"no clicks in {data.root}: simulated {count} from its masks into {path}")
    data.clicks_path = path
    _tell_of_left_out(data, path)


def _tell_of_left_out(data: ClipDataModule, store: Path) -> None:
    with ClickStore(store, data.classes, readonly=True) as opened:
        clicks = opened.all_clicks()
    for line in left_out(data.layout, clicks, data.clicks):
        rank_zero_info(line)
