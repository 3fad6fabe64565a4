"""``weclick annotate``."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import Any, Final

from jsonargparse import auto_cli

from weclick.annotate import Access, Catalog, create_app
from weclick.annotate.catalog import GOAL
from weclick.annotate.overlay import Predict
from weclick.annotate.security import LOCAL, address, is_loopback
from weclick.annotate.serve import bind, serve
from weclick.classes import ClassSet
from weclick.clicks import ClickStore
from weclick.clicks.store import CLICKS_FILE
from weclick.data.index import FrameKey, Layout, Split
from weclick.data.layouts import open_layout
from weclick.data.unused import unused_validation

Student = Any
"""A :class:`weclick.inference.model.Model`; not named in types, as jsonargparse would import it, and torch takes seconds."""

WARNING: Final = (
    "this server can be reached from the network; whoever has the address below can see the frames and change the clicks, "
    "and nothing is encrypted"
)


def main(command: str, arguments: list[str]) -> None:
    """Parse, serve until interrupted."""
    auto_cli(annotate, args=arguments, prog=f"weclick {command}", exit_on_error=False)


def annotate(
    root: str,
    host: str = LOCAL,
    port: int = 8765,
    goal: int | None = None,
    split: Split = "train",
    layout: str = "auto",
    store: str | None = None,
    annotator: str = "",
    run: str | None = None,
    runs: str = "runs",
    suggest: bool = True,
    open: bool = True,
) -> None:
    """Click through frames in the browser; Ctrl-C ends it.

    Args:
        root: Folder of the data set.
        host: Address to serve at. At 127.0.0.1 there is no token, so that every account of this machine can reach the page;
            any other asks everybody for the token it prints: on a machine shared with others, give localhost.
        port: Port to serve at; 0 takes any free one.
        goal: Frames to click; by default 200, or all where there are fewer.
        split: Split whose frames to click.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto recognises the first three.
        store: Click store, made if missing; by default clicks.sqlite in the root, where training finds it.
        annotator: Name to store with what nobody signed in the page.
        run: Run whose student to ask, by name or folder: its prediction can be laid over a frame, and frames are offered in
            the order of `weclick clicks suggest`.
        runs: Folder of all runs.
        suggest: With --run, look for frames to offer first, which takes a while. Students that learned from such frames
            were measured to be no better than from evenly spread ones (docs/method.md); false offers these, at once.
        open: Open the browser. With a token it stays closed, as everybody on this machine could read the token off its
            command line: open the printed address yourself.
    """
    with bind(host, port) as listening:
        bound, taken, *_ = listening.getsockname()
        access = Access.at(host, bound, taken)
        path = Path(store) if store else Path(root) / CLICKS_FILE
        with _many_objects():
            found = open_layout(layout, Path(root))
            catalog = Catalog(found, path, split, goal=goal)
        student = _student(run, runs, found.classes) if run is not None else None
        if not path.exists() or not path.stat().st_size:  # empty: left behind when there was no room for it
            ClickStore.create(path, found.classes).close()
        if student and suggest:
            catalog.offer_first(_suggested(student, found, path, split, goal or GOAL))
        app = create_app(catalog, access, annotator=annotator, predict=_predictor(student) if student else None)
        if not is_loopback(bound):
            print(f"weclick: {WARNING}", file=sys.stderr)
        print(f"click at {_url(access, host)} (Ctrl-C ends it); clicks go to {path}", flush=True)
        if told := unused_validation(found):
            print(told, flush=True)
        serve(app, listening, _url(access, host), open_browser=open and access.token is None)


# A student needs torch, whose import takes longer than all else that is needed for clicking.
def _student(run: str, runs: str, classes: ClassSet) -> Student:
    from weclick.inference.model import open_model
    from weclick.pipeline.run import Run

    return open_model(Run.find(run, Path(runs)).checkpoint("student", "last"), stage="student", classes=classes)


def _suggested(student: Student, layout: Layout, store: Path, split: Split, count: int) -> list[FrameKey]:
    from weclick.pipeline.suggest import suggest_with
    from weclick.reporting.progress import progress_bar

    with progress_bar("suggest") as progress:
        found = suggest_with(student, layout, store, split=split, count=count, progress=progress)
    return [suggestion.key for suggestion in found]


def _predictor(student: Student) -> Predict:
    from weclick.images import read_image

    return lambda path: student.labels(read_image(path))


def _url(access: Access, host: str) -> str:
    place = f"http://{address(gethostname() if access.any_address else host, access.port)}/"
    return f"{place}?token={access.token}" if access.token else place


@contextmanager
def _many_objects() -> Iterator[None]:
    """Make objects by the hundred thousand: looking for garbage among them, then and later, takes longer than that."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
