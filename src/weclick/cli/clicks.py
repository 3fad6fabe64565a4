"""``weclick clicks``: simulate, import, export, labels, check, count and suggest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from weclick.cli.next_step import print_next, print_next_for_data
from weclick.cli.parser import call, choose_part
from weclick.cli.suggest import suggest
from weclick.clicks import (
    FORMATS,
    ClickStore,
    FormatName,
    Rule,
    check_clicks,
    format_of,
    format_to_write,
    open_or_create,
    stats,
    store_path,
)
from weclick.clicks.check import never_asked
from weclick.clicks.exchange.masks import WRITERS, MaskFormat, NamedLabel
from weclick.clicks.labels import accepted_labels, export_labels
from weclick.data.index import Layout, Split
from weclick.data.layouts import open_layout
from weclick.data.masks import pictures_of
from weclick.data.unused import unused_data
from weclick.errors import ClickError, ConfigError, DataError
from weclick.options import Share
from weclick.reporting.progress import progress_bar


def main(command: str, arguments: list[str]) -> int | None:
    """Run the subcommand that the arguments name."""
    part = choose_part(PARTS, f"weclick {command}", "Work with the clicks of a data set.", arguments)
    status: int | None = call(PARTS[part], f"weclick {command} {part}", arguments[1:])
    return status


def simulate(
    root: str,
    out: str | None = None,
    rule: Rule | Literal["corrective"] = "center",
    min_area: int = 100,
    seed: int = 0,
    split: Split = "train",
    layout: str = "auto",
    per_frame: int = 12,
    accept: bool = False,
) -> None:
    """Simulate an annotator by the masks of a data set: click once on every object, or correct the preview.

    Rule corrective clicks where the preview of the segmentation is wrong, as a person does on the page. It takes about two
    seconds a frame.

    Args:
        root: Folder of the data set.
        out: Click store to write; by default clicks.sqlite in the root, which training reads.
        rule: Position of a click in its object: center (far from the border), uniform, or human (near the centre, with
            scatter); or corrective.
        min_area: Smallest region that is clicked, in pixels of the mask. Objects with an instance id are always clicked,
            however small, and so is the largest region of a class.
        seed: Seed of the positions.
        split: Split whose masks to click on.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
        per_frame: Clicks on a frame at most, with rule corrective.
        accept: With rule corrective: store the preview of each frame as its accepted label, too.
    """
    from weclick.data.masks import simulate_split

    path, opened = store_path(root, out), open_layout(layout, Path(root))
    if rule == "corrective":
        from weclick.pipeline.corrective import simulate_corrective

        count = simulate_corrective(opened, split, path, per_frame=per_frame, accept=accept, min_area=min_area)
    elif accept:
        raise ConfigError(f"rule {rule} has no preview to accept; add --rule corrective")
    else:
        count = simulate_split(opened, split, path, rule=rule, min_area=min_area, seed=seed)
    print(f"{count} clicks in {path}")
    print_next("clicks", "check", root, *(("--store", out) if out else ()))


def count(root: str, store: str | None = None, layout: str = "auto") -> None:
    """Print statistics of a click store: frames, clicks, classes, and how right accepted labels are.

    Args:
        root: Folder of the data set.
        store: Click store; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
    """
    opened = open_layout(layout, Path(root))
    with _opened(store_path(root, store), opened) as clicks:
        totals = stats(clicks)
        if totals.labels:
            from weclick.pipeline.label_quality import label_quality

            quality = label_quality(clicks, opened)
    print(f"frames: {', '.join(f'{count} {status}' for status, count in totals.frames.items())}")
    print(f"clicks: {totals.clicks}")
    if totals.clicks_per_frame:
        print("clicks per frame: {} least, {} median, {} most".format(*totals.clicks_per_frame))
    for name, count in totals.clicks_per_class.items():
        print(f"  {name}: {count}")
    if totals.unknown:
        print(f"  unknown (not trained from): {totals.unknown}")
    print(f"never clicked: {', '.join(totals.never_clicked) or 'none'}")
    if totals.labels:
        print(f"accepted labels: {totals.labels}")
        for sure, share, scores in quality:
            print(
                f"  confidence from {sure:.1f}: {share:.1%} of the pixels, mIoU {scores.miou:.1%}, right {scores.accuracy:.1%}"
            )
    print(f"made by: {', '.join(f'{key}={value}' for key, value in totals.provenance.items()) or 'hand'}")
    _print_unused(opened)


def check(root: str, store: str | None = None, layout: str = "auto") -> int:
    """Find clicks that are probably mistakes and print them; exit status 1 if there are any.

    It also lists the done frames where nobody was asked about classes without a click, which count as absent: clicked without a
    preview, or imported.

    Args:
        root: Folder of the data set.
        store: Click store; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
    """
    from weclick.data.masks import masks_of

    opened = open_layout(layout, Path(root))
    frames = {key: load for split in opened.splits() for key, load in masks_of(opened, split).items()}
    with _opened(store_path(root, store), opened) as clicks:
        findings, silent = check_clicks(clicks, frames, pictures_of(opened).size), never_asked(clicks)
    for finding in findings:
        print(finding)
    if silent:
        print(f"done, but nobody was asked about classes without a click: {', '.join(map(str, silent))}")
    print(f"{len(findings)} findings")
    if not findings:
        print_next_for_data(opened)
    return 1 if findings else 0


def export_file(
    root: str, file: str, store: str | None = None, layout: str = "auto", format: FormatName | None = None
) -> None:
    """Write the clicks to a file of another format.

    Args:
        root: Folder of the data set.
        file: File to write, or folder for labelme.
        store: Click store; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
        format: Format of the file. By default it follows from the name: .csv, .xml (cvat), a folder (labelme). For .json it
            must be given, as several formats use it.
    """
    opened = open_layout(layout, Path(root))
    exchange = FORMATS[format or format_to_write(Path(file))]
    with _opened(store_path(root, store), opened) as clicks:
        count = exchange.export(clicks, Path(file), pictures_of(opened))
        unfinished = sum(status == "todo" for status in clicks.statuses().values())
        accepted, unknown = len(clicks.accepted()), clicks.unknown()
    print(f"{count} clicks in {file}")
    if unfinished or accepted or unknown:
        print(
            f"not in it: {unknown} clicks on unknown, {accepted} accepted labels (weclick clicks labels writes them), and which "
            f"{unfinished} frames are unfinished; imported again, all frames count as done, and their classes without a click as "
            "absent"
        )


def labels(
    root: str,
    out: str,
    store: str | None = None,
    layout: str = "auto",
    sure: Share = 0.0,
    format: Literal["png"] | MaskFormat = "png",
) -> None:
    """Write the accepted labels as masks: OUT/VIDEO/IMAGE.png, 8-bit class ids, or a file for another tool.

    Args:
        root: Folder of the data set.
        out: Folder to write to; ROOT/masks is where the layout "folder" reads masks. For coco (.json) and cvat (.xml) a file.
        store: Click store; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
        sure: Pixels with a lower confidence than this, 0 to 1, are 255 (unknown), or in no mask.
        format: png, coco or cvat; the last two hold a run-length encoded mask for each class of a frame.
    """
    opened = open_layout(layout, Path(root))
    pictures = pictures_of(opened)
    with _opened(store_path(root, store), opened) as clicks, progress_bar("writing labels") as show:
        if format == "png":
            count = export_labels(clicks, Path(out), pictures, sure=sure, show=show)
        else:
            found = accepted_labels(clicks, sure=sure, show=show)
            named = (NamedLabel(pictures.name(key), ids) for key, ids in found)
            count = WRITERS[format](Path(out), named, opened.classes)
    print(f"{count} labels in {out}")


def import_file(
    root: str,
    file: str,
    store: str | None = None,
    layout: str = "auto",
    replace: bool = False,
    format: FormatName | None = None,
) -> None:
    """Add clicks from a file of another format to the store. If one click is refused, none is added.

    Args:
        root: Folder of the data set.
        file: File to read, or labelme's folder.
        store: Click store, created if missing; by default clicks.sqlite in the root.
        layout: cityscapes, camvid, folder, or the class path of another layout; auto detects the first three.
        replace: Replace the clicks of frames that are clicked already, instead of refusing the file.
        format: Format of the file; by default detected from its suffix and content.
    """
    opened = open_layout(layout, Path(root))
    path = store_path(root, store)
    if not Path(file).exists():
        raise DataError(f"{file} not found; name the file to import")
    exchange = FORMATS[format or format_of(Path(file))]
    with open_or_create(path, opened.classes) as clicks:
        count = exchange.load(Path(file), clicks, pictures_of(opened), replace=replace)
    print(f"{count} clicks into {path}")
    _print_unused(opened)
    print_next("clicks", "check", root, *(("--store", store) if store else ()))


PARTS: Final[dict[str, Any]] = {
    "simulate": simulate,
    "import": import_file,
    "export": export_file,
    "labels": labels,
    "check": check,
    "stats": count,
    "suggest": suggest,
}


def _print_unused(layout: Layout) -> None:
    for message in unused_data(layout):
        print(message)


def _opened(path: Path, layout: Layout) -> ClickStore:
    if not path.exists():
        raise ClickError(
            f"no click store at {path}; create one with weclick clicks simulate or import, or name it with --store"
        )
    return ClickStore(path, layout.classes, readonly=True)
