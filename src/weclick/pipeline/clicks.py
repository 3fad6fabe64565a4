"""The clicks a run learns from: copied when it starts, so that clicks made later do not change a resumed training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info

from weclick.clicks import CLICKS_FILE, ClickStore, copy_store
from weclick.data.masks import find_click_store, require_masks, simulate_split
from weclick.data.unused import unused_messages
from weclick.errors import DataError
from weclick.files import locked, writing
from weclick.pipeline.held_out import select_held_out
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings

FindStore = Callable[[FitSettings], Path | None]
"""Finds the store to copy; None if clicks are simulated."""


def store_in_use(settings: FitSettings) -> Path | None:
    """Return the click store that a new run trains from; None if clicks are simulated.

    Prints what in the data is not used for training.

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
    """Give a run its clicks, a copy of a store or simulated from the masks, unless it has them already.

    Without masks, some of a store's clicks are held out from training (:func:`select_held_out`).

    Args:
        settings: Settings of the run.
        run: Gets the clicks. If several processes call this, one writes them and the others wait.
        find: Finds the store.

    Raises:
        DataError: There are no clicks and no masks, or the run's folder cannot be written.
    """
    if run.clicks.exists() or settings.data.supervision == "masks":
        return
    with writing(run.clicks):
        run.folder.mkdir(parents=True, exist_ok=True)
        with locked(run.folder / ".clicks.lock"):
            if not run.clicks.exists():  # another process may have been faster
                store = find(settings)
                if store is None:
                    _simulate(settings, run.clicks)
                else:
                    copy_store(store, run.clicks, settings.dataset.classes, select_held_out(settings, store))


def clicks_of(run: Run) -> FindStore:
    """Return what finds the clicks of another run, if it has any."""
    return lambda settings: run.clicks if run.clicks.exists() else store_in_use(settings)


def clicks_of_comparison(folder: Path) -> FindStore:
    """Return what finds the clicks of a comparison: the first row copies its store into ``folder``, all rows use that copy.

    If the first row simulated its clicks, all do, each with its seed.
    """

    def find(settings: FitSettings) -> Path | None:
        with locked(folder / ".clicks.lock"):
            own = clicks_at_start(folder)
            if own is None and (store := store_in_use(settings)) is not None:
                own = folder / CLICKS_FILE
                copy_store(store, own, settings.dataset.classes)
        return own if own == folder / CLICKS_FILE else None

    return find


def clicks_at_start(folder: Path) -> Path | None:
    """Return the clicks a comparison started with: the copy all rows share, or those a row simulated."""
    places = (folder / CLICKS_FILE, *sorted(folder.glob(f"*/{CLICKS_FILE}")))
    return next((path for path in places if path.exists()), None)


def report_newer_clicks(settings: FitSettings, own: Path) -> None:
    """Print one line if the store in use differs from ``own``, the copy that is trained from."""
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
        now = f"{given or dataset.root / CLICKS_FILE} is no longer readable"
    rank_zero_info(f"trains on the {count} clicks it started with ({own}); {now}")


def _given_store(settings: FitSettings) -> Path | None:
    return Path(settings.data.clicks.store) if settings.data.clicks.store else None


def _simulate(settings: FitSettings, path: Path) -> None:
    chosen, layout = settings.data.clicks, settings.dataset.layout
    count = simulate_split(layout, "train", path, rule=chosen.rule, min_area=chosen.min_area, seed=settings.seed)
    rank_zero_info(f"no clicks in {layout.root}: simulated {count} from its masks into {path}")
    _report_unused(settings, path)


def _report_unused(settings: FitSettings, store: Path) -> None:
    """Print what is not used for training, one line each; refuse a store with nothing to train from."""
    data = settings.make_data(clicks=store)
    clips, clicks = data.clips, data.clicks
    assert clips and clicks is not None  # else clips would have raised; a run of masks takes no clicks
    for line in unused_messages(data.dataset.layout, clicks.stored, clicks.clicks):
        rank_zero_info(line)
