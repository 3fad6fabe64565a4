"""``weclick clicks suggest``."""

from __future__ import annotations

from math import isnan
from pathlib import Path

from weclick.cli.next_step import print_next
from weclick.clicks import store_path
from weclick.data.index import Split
from weclick.data.layouts import open_layout
from weclick.files import write_json
from weclick.reporting.progress import progress_bar


def suggest(
    root: str,
    run: str | None = None,
    count: int = 20,
    store: str | None = None,
    split: Split = "train",
    layout: str = "auto",
    most: int = 400,
    runs: str = "runs",
    out: str | None = None,
) -> None:
    """List the frames to click next: those on which a trained student is least certain, least stable or wrong.

    Columns: frame; score, the sum of the next three; unsure, how close the second most probable class is to the first, mean
    over pixels; unsteady, share of the pixels whose label changes one frame later; contradicted, share of the clicks on the
    nearest clicked frame that the student labels differently. Frames near clicked or listed ones get a lower rank.
    `weclick annotate --run` offers the frames in the same order.

    Args:
        root: Folder of the data set.
        run: Run whose student to use, by name or folder; by default the newest.
        count: Number of frames to list.
        store: Click store; by default clicks.sqlite in the root. Frames that are clicked or skipped there are left out.
        split: Split whose frames to list.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
        most: Largest number of frames to examine, evenly spread over the videos.
        runs: Folder of all runs.
        out: File to write the list to as well, as JSON.
    """
    from weclick.inference.opening import open_model
    from weclick.pipeline.run import Run
    from weclick.pipeline.suggest import suggest_with

    found, data = Run.find(run, Path(runs)), open_layout(layout, Path(root))
    with progress_bar("suggest") as progress:
        suggestions = suggest_with(
            open_model(found.checkpoint("student", "last"), stage="student", classes=data.classes),
            data,
            store_path(root, store),
            split=split,
            count=count,
            most=most,
            progress=progress,
        )
    if out:
        write_json(Path(out), [{**one.key._asdict(), "score": one.score} for one in suggestions])
    if not suggestions:
        print(f"every frame of the {split} split of {root} that can be read is clicked or skipped already")
        return
    print(f"{'frame':<40} {'score':>6} {'unsure':>6} {'unsteady':>8} {'contradicted':>12}")
    for suggestion in suggestions:
        shares = (suggestion.unsure, suggestion.unsteady, suggestion.contradicted)
        unsure, unsteady, contradicted = ("-" if isnan(share) else f"{share:.3f}" for share in shares)
        print(f"{suggestion.key!s:<40} {suggestion.score:6.3f} {unsure:>6} {unsteady:>8} {contradicted:>12}")
    print("click them in this order: by score, but lower near clicked or listed frames; - where it cannot be measured")
    print_next("annotate", root, "--run", str(found.folder))
