"""``weclick annotate``."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import Any, Final

from weclick.annotate.catalog import Catalog
from weclick.annotate.overlay import Predict
from weclick.annotate.security import LOCAL, Access, address, is_loopback
from weclick.annotate.serve import bind, serve
from weclick.classes import ClassSet
from weclick.cli.next_step import print_next_for_data
from weclick.cli.parser import call
from weclick.clicks import ClickStore
from weclick.clicks.store import store_path
from weclick.data.index import FrameKey, Layout, Split
from weclick.data.layouts import open_layout
from weclick.data.unused import unused_data
from weclick.options import NonNegativeFloat
from weclick.pipeline.options import PAGE_PORT

Student = Any
"""A :class:`weclick.inference.model.Model`; the type is not named, as jsonargparse would import it, and torch with it."""

WARNING: Final = (
    "this server can be reached from the network; everybody with the address below can see the frames and change the "
    "clicks, and the connection is not encrypted"
)


def main(command: str, arguments: list[str]) -> None:
    """Parse the arguments and serve the page until interrupted."""
    call(annotate, f"weclick {command}", arguments, examples=("weclick annotate data/mine --run NAME",))


def annotate(
    root: str,
    host: str = LOCAL,
    port: int = PAGE_PORT,
    goal: int | None = None,
    split: Split = "train",
    layout: str = "auto",
    store: str | None = None,
    annotator: str = "",
    run: str | None = None,
    runs: str = "runs",
    suggest: bool = True,
    preview: bool = True,
    preview_cache: NonNegativeFloat = 4.0,
    open: bool = True,
) -> None:
    """Open a page in the browser to click on the objects of frames; Ctrl-C stops it.

    Args:
        root: Folder of the data set.
        host: Address to serve at. 127.0.0.1 needs no token, so every account of this machine can open the page; at any
            other address the printed token is required. On a machine shared with others, use localhost.
        port: Port to serve at; 0 takes any free one.
        goal: Number of frames to click; by default one of ten, but 16 to 200, or all if there are fewer.
        split: Split whose frames to click.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
        store: Click store, created if missing; by default clicks.sqlite in the root, which training reads.
        annotator: Name to store with clicks for which no name is entered in the page.
        run: Run whose student to use, by name or folder. The page can show its prediction over a frame, and offers frames in
            the order of `weclick clicks suggest`.
        runs: Folder of all runs.
        suggest: With --run, first compute that order, which takes a while. In measurements, such frames trained no better
            students than evenly spread ones (docs/method.md); false offers evenly spread frames, without the wait.
        preview: Show a segmentation of the frame after every click, by a probe that is fitted to all clicks
            (docs/method.md#corrective-clicks); false needs less memory and time.
        preview_cache: Disk space in GB for features of frames that were shown, in the user's cache folder, so that they need not
            be computed again; the oldest are removed first.
        open: Open the browser. With a token it is not opened, as everybody on this machine could read the token from the
            browser's command line; open the printed address yourself.
    """
    from weclick.annotate.api import create_app

    with bind(host, port) as listening:
        bound, taken, *_ = listening.getsockname()
        access = Access.at(host, bound, taken)
        path = store_path(root, store)
        with without_garbage_collection():
            opened = open_layout(layout, Path(root))
            catalog = Catalog(opened, path, split, goal=goal)
        student = _student(run, runs, opened.classes) if run is not None else None
        make_store(path, opened.classes)
        if student and suggest:
            catalog.offer_first(_suggested(student, opened, path, split, catalog.goal))
        predict = _predictor(student) if student else None
        cache = round(preview_cache * 1e9)
        app = create_app(catalog, access, annotator=annotator, predict=predict, preview=preview, preview_cache=cache)
        if not is_loopback(bound):
            print(f"weclick: {WARNING}", file=sys.stderr)
        print(f"click at {address_of(access, host)} (Ctrl-C stops it); clicks go to {path}", flush=True)
        for message in unused_data(opened):
            print(message, flush=True)
        try:
            serve(app, listening, address_of(access, host), open_browser=open and access.token is None)
        except SystemExit:  # stopped by its user
            print_next_for_data(opened)
            raise


def make_store(path: Path, classes: ClassSet) -> None:
    """Make the click store unless there is one."""
    if not path.exists() or not path.stat().st_size:  # an empty file stays behind when the disk was full
        ClickStore.create(path, classes).close()


# The imports of a student are inside functions: without --run, torch's seconds are not spent.
def _student(run: str, runs: str, classes: ClassSet) -> Student:
    from weclick.inference.opening import open_model
    from weclick.pipeline.run import Run

    return open_model(Run.find(run, Path(runs)).checkpoint("student", "last"), stage="student", classes=classes)


def _suggested(student: Student, layout: Layout, store: Path, split: Split, count: int) -> list[FrameKey]:
    from weclick.pipeline.suggest import suggest_with
    from weclick.reporting.progress import progress_bar

    with progress_bar("suggest") as progress:
        suggestions = suggest_with(student, layout, store, split=split, count=count, progress=progress)
    return [suggestion.key for suggestion in suggestions]


def _predictor(student: Student) -> Predict:
    from weclick.images import read_image

    return lambda path: student.labels(read_image(path))


def address_of(access: Access, host: str) -> str:
    """Return the address to print, with the token if there is one."""
    place = f"http://{address(gethostname() if access.any_address else host, access.port)}/"
    return f"{place}?token={access.token}" if access.token else place


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause garbage collection while a data set is listed, and exempt its objects from it afterwards.

    A large set has hundreds of thousands of them, which live as long as the server; each collection would visit them all.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
