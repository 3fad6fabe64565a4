"""``weclick clicks``: simulate, import, export, check, count and suggest."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any, Final

from jsonargparse import auto_cli

from weclick.clicks import (
    CLICKS_FILE,
    FORMATS,
    ClickStore,
    FormatName,
    Rule,
    check_clicks,
    format_of,
    format_to_write,
    open_or_create,
    stats,
)
from weclick.data.index import Layout, Split
from weclick.data.layouts import open_layout
from weclick.data.masks import pictures_of
from weclick.data.unused import unused_validation
from weclick.errors import ClickError, DataError
from weclick.reporting.progress import progress_bar


def main(command: str, arguments: list[str]) -> int | None:
    """Run the part that the arguments name."""
    status: int | None = auto_cli(PARTS, args=arguments, prog=f"weclick {command}", exit_on_error=False)
    return status


def simulate(
    root: str,
    out: str | None = None,
    rule: Rule = "center",
    min_area: int = 100,
    seed: int = 0,
    split: Split = "train",
    layout: str = "auto",
) -> None:
    """Click once on every object of a masked data set, as an annotator would.

    Args:
        root: Folder of the data set.
        out: Click store to make; by default clicks.sqlite in the root, where training finds it.
        rule: center (far from the border), uniform, or human (near the centre with scatter).
        min_area: Smallest region that is clicked, in pixels of the mask. Objects with an instance id are always clicked,
            however small, and so is the largest region of a class.
        seed: Of the positions.
        split: Which split's masks to click on.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto recognises the first three.
    """
    from weclick.data.masks import simulate_split

    path = _store_path(root, out)
    count = simulate_split(open_layout(layout, Path(root)), split, path, rule=rule, min_area=min_area, seed=seed)
    print(f"{count} clicks in {path}")


def count(root: str, store: str | None = None, layout: str = "auto") -> None:
    """Print what is in a click store.

    Args:
        root: Folder of the data set.
        store: Click store; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto recognises the first three.
    """
    opened = open_layout(layout, Path(root))
    with _opened(_store_path(root, store), opened) as clicks:
        found = stats(clicks)
    print(f"frames: {', '.join(f'{count} {status}' for status, count in found.frames.items())}")
    print(f"clicks: {found.clicks}")
    if found.clicks_per_frame:
        print("clicks per frame: {} least, {} median, {} most".format(*found.clicks_per_frame))
    for name, count in found.clicks_per_class.items():
        print(f"  {name}: {count}")
    print(f"never clicked: {', '.join(found.never_clicked) or 'none'}")
    print(f"made by: {', '.join(f'{key}={value}' for key, value in found.provenance.items()) or 'hand'}")
    _tell_set_aside(opened)


def check(root: str, store: str | None = None, layout: str = "auto") -> int:
    """Look for clicks that are probably mistakes; exit status 1 if there are any.

    Args:
        root: Folder of the data set.
        store: Click store; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto recognises the first three.
    """
    from weclick.data.masks import masks_of

    opened = open_layout(layout, Path(root))
    frames = {key: load for split in opened.splits() for key, load in masks_of(opened, split).items()}
    with _opened(_store_path(root, store), opened) as clicks:
        findings = check_clicks(clicks, frames, pictures_of(opened).size)
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def export_file(
    root: str, file: str, store: str | None = None, layout: str = "auto", format: FormatName | None = None
) -> None:
    """Write the clicks to a file of another format.

    Args:
        root: Folder of the data set.
        file: File to write, or folder for labelme.
        store: Click store; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto recognises the first three.
        format: By default as the file is named: .csv, .xml (cvat), a folder (labelme); .json needs to be told which.
    """
    opened = open_layout(layout, Path(root))
    chosen = FORMATS[format or format_to_write(Path(file))]
    with _opened(_store_path(root, store), opened) as clicks:
        count = chosen.export(clicks, Path(file), pictures_of(opened))
    print(f"{count} clicks in {file}")


def import_file(
    root: str,
    file: str,
    store: str | None = None,
    layout: str = "auto",
    replace: bool = False,
    format: FormatName | None = None,
) -> None:
    """Read clicks from a file of another format, all or none of them.

    Args:
        root: Folder of the data set.
        file: File to read, or labelme's folder.
        store: Click store, made if missing; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto recognises the first three.
        replace: Replace the clicks of frames that have some, instead of refusing.
        format: By default recognised by suffix and content.
    """
    opened = open_layout(layout, Path(root))
    path = _store_path(root, store)
    if not Path(file).exists():
        raise DataError(f"{file} not found; name the file to import")
    chosen = FORMATS[format or format_of(Path(file))]
    with open_or_create(path, opened.classes) as clicks:
        count = chosen.load(Path(file), clicks, pictures_of(opened), replace=replace)
    print(f"{count} clicks into {path}")
    _tell_set_aside(opened)


def suggest(
    root: str,
    run: str | None = None,
    count: int = 20,
    store: str | None = None,
    split: Split = "train",
    layout: str = "auto",
    most: int = 400,
    runs: str = "runs",
) -> None:
    """List the frames to click next, those first in which a trained student is unsure, unsteady or wrong.

    Columns: frame; score, the sum of the next three; unsure, how near the likeliest class is to the next, mean over pixels;
    unsteady, share of the pixels it labels otherwise one frame later; contradicted, share of the clicks on the nearest clicked
    frame that it contradicts. Frames near clicked or listed ones count less. `weclick annotate --run` offers them in this order.

    Args:
        root: Folder of the data set.
        run: Run whose student to ask, by name or folder; by default the newest.
        count: How many frames to list.
        store: Click store; by default clicks.sqlite in the root. Frames that are clicked or skipped there are left out.
        split: Split whose frames to list.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto recognises the first three.
        most: How many frames to look at, evenly spread over the videos.
        runs: Folder of all runs.
    """
    from weclick.inference.model import open_model
    from weclick.pipeline.run import Run
    from weclick.pipeline.suggest import suggest_with

    checkpoint, data = Run.find(run, Path(runs)).checkpoint("student", "last"), open_layout(layout, Path(root))
    with progress_bar("suggest") as progress:
        found = suggest_with(
            open_model(checkpoint, stage="student", classes=data.classes),
            data,
            _store_path(root, store),
            split=split,
            count=count,
            most=most,
            progress=progress,
        )
    if not found:
        print(f"every frame of the {split} split of {root} that can be read is clicked or skipped already")
        return
    print(f"{'frame':<40} {'score':>6} {'unsure':>6} {'unsteady':>8} {'contradicted':>12}")
    for one in found:
        reasons = f"{_share(one.unsure):>6} {_share(one.unsteady):>8} {_share(one.contradicted):>12}"
        print(f"{one.key!s:<40} {one.score:6.3f} {reasons}")
    print(
        "in the order to click them: by score, but less for frames near clicked or listed ones; - where nothing can tell"
    )


def _share(reason: float) -> str:
    return "-" if isnan(reason) else f"{reason:.3f}"


PARTS: Final[dict[str, Any]] = {
    "simulate": simulate,
    "import": import_file,
    "export": export_file,
    "check": check,
    "stats": count,
    "suggest": suggest,
}


def _tell_set_aside(layout: Layout) -> None:
    if told := unused_validation(layout):
        print(told)


def _store_path(root: str, store: str | None) -> Path:
    return Path(store) if store else Path(root) / CLICKS_FILE


def _opened(path: Path, layout: Layout) -> ClickStore:
    if not path.exists():
        raise ClickError(
            f"no click store at {path}; make one with weclick clicks simulate or import, or name it (--store)"
        )
    return ClickStore(path, layout.classes, readonly=True)
