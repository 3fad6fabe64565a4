"""``weclick predict``, ``weclick clicks ...`` and ``weclick data ...``: plain functions made into commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jsonargparse import auto_cli

from weclick.callbacks.progress import progress_bar
from weclick.data.clicks import (
    CLICKS_FILE,
    FORMATS,
    ClickStore,
    FormatName,
    Pictures,
    Rule,
    check_clicks,
    format_of,
    format_to_write,
    open_or_create,
    stats,
)
from weclick.data.index import Layout, Split
from weclick.data.layouts import LayoutName, open_layout
from weclick.errors import ClickError, DataError


def main(command: str, arguments: list[str]) -> int | None:
    """Run the tool that the arguments name."""
    options: dict[str, Any] = {"prog": f"weclick {command}", "exit_on_error": False}
    if command == "predict":
        auto_cli(predict, args=arguments, as_positional=False, **options)
        return None
    status: int | None = auto_cli(TOOLS[command], args=arguments, **options)
    return status


def predict(
    source: str,
    run: str | None = None,
    ckpt_path: str | None = None,
    out: str = "predictions",
    runs: str = "runs",
    overlay: bool = True,
    labels: bool = True,
    alpha: float = 0.5,
    legend: bool = True,
    max_frames: int | None = None,
    stride: int = 1,
    realtime: bool = False,
    smooth: float = 0.0,
) -> None:
    """Segment a video file, a folder of frames or a camera with a trained student.

    Args:
        source: Video file, folder of images, or camera:0.
        run: Run whose student to use, by name or folder; by default the newest.
        ckpt_path: This checkpoint or exported model instead.
        out: Folder for the overlay video (or pictures) and the label PNGs.
        runs: Folder of all runs.
        overlay: Write the overlay.
        labels: Write one PNG of class ids per frame.
        alpha: Strength of the overlay's colours, 0 to 1.
        legend: Name the classes seen so far in the overlay's upper left corner.
        max_frames: Stop after so many frames.
        stride: Take every n-th frame only.
        realtime: For a camera, or a video file played at its own pace: always take the newest frame and drop those
            the network was too slow for.
        smooth: Share of the frames before in a running average of class probabilities, 0 (off) to below 1. Labels
            flicker less, but motion is not compensated: what moves quickly leaves a trail.
    """
    from weclick.cli.runs import named_or_newest
    from weclick.pipeline.predict import predict_with

    checkpoint = Path(ckpt_path) if ckpt_path is not None else named_or_newest(run, runs).checkpoint("student", "last")
    summary = predict_with(
        checkpoint,
        source,
        Path(out),
        overlays=overlay,
        labels=labels,
        max_frames=max_frames,
        stride=stride,
        alpha=alpha,
        legends=legend,
        realtime=realtime,
        smooth=smooth,
    )
    dropped = f", {summary.dropped} dropped," if realtime else ""
    print(
        f"{summary.frames} frames{dropped} in {summary.seconds:.1f} s: {summary.fps_end_to_end:.1f} FPS end to end, "
        f"{summary.fps_network:.1f} FPS network alone; wrote {', '.join(map(str, summary.paths))}"
    )


def clicks_simulate(
    root: str,
    out: str | None = None,
    rule: Rule = "center",
    min_area: int = 100,
    seed: int = 0,
    split: Split = "train",
    layout: LayoutName = "auto",
) -> None:
    """Click once on every object of a masked data set, as an annotator would.

    Args:
        root: Folder of the data set.
        out: Click store to make; by default clicks.sqlite in the root, where training finds it.
        rule: center (far from the border), uniform, or human (near the centre with scatter).
        min_area: Smallest region that is clicked, in pixels of the mask; the largest of a class always is.
        seed: Of the positions.
        split: Which split's masks to click on.
        layout: Layout of the data set; auto recognises it.
    """
    from weclick.data.masks import simulate_split

    path = _store_path(root, out)
    count = simulate_split(open_layout(layout, Path(root)), split, path, rule=rule, min_area=min_area, seed=seed)
    print(f"{count} clicks in {path}")


def clicks_stats(root: str, store: str | None = None, layout: LayoutName = "auto") -> None:
    """Print what is in a click store.

    Args:
        root: Folder of the data set.
        store: Click store; by default clicks.sqlite in the root.
        layout: Layout of the data set; auto recognises it.
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


def clicks_check(root: str, store: str | None = None, layout: LayoutName = "auto") -> int:
    """Look for clicks that are probably mistakes; exit status 1 if there are any.

    Args:
        root: Folder of the data set.
        store: Click store; by default clicks.sqlite in the root.
        layout: Layout of the data set; auto recognises it.
    """
    from weclick.data.masks import masks_of

    opened = open_layout(layout, Path(root))
    frames = {key: load for split in opened.splits() for key, load in masks_of(opened, split).items()}
    with _opened(_store_path(root, store), opened) as clicks:
        findings = check_clicks(clicks, frames)
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def clicks_export(
    root: str, file: str, store: str | None = None, layout: LayoutName = "auto", format: FormatName | None = None
) -> None:
    """Write the clicks to a file of another format.

    Args:
        root: Folder of the data set.
        file: File to write, or folder for labelme.
        store: Click store; by default clicks.sqlite in the root.
        layout: Layout of the data set; auto recognises it.
        format: By default as the file is named: .csv, .xml (cvat), a folder (labelme); .json needs to be told which.
    """
    opened = open_layout(layout, Path(root))
    chosen = FORMATS[format or format_to_write(Path(file))]
    with _opened(_store_path(root, store), opened) as clicks:
        count = chosen.export(clicks, Path(file), Pictures.of(opened))
    print(f"{count} clicks in {file}")


def clicks_import(
    root: str,
    file: str,
    store: str | None = None,
    layout: LayoutName = "auto",
    replace: bool = False,
    format: FormatName | None = None,
) -> None:
    """Read clicks from a file of another format, all or none of them.

    Args:
        root: Folder of the data set.
        file: File to read, or labelme's folder.
        store: Click store, made if missing; by default clicks.sqlite in the root.
        layout: Layout of the data set; auto recognises it.
        replace: Replace the clicks of frames that have some, instead of refusing.
        format: By default recognised by suffix and content.
    """
    opened = open_layout(layout, Path(root))
    path = _store_path(root, store)
    if not Path(file).exists():
        raise DataError(f"{file} not found; name the file to import")
    chosen = FORMATS[format or format_of(Path(file))]
    with open_or_create(path, opened.classes) as clicks:
        count = chosen.load(Path(file), clicks, Pictures.of(opened), replace=replace)
    print(f"{count} clicks into {path}")


def clicks_suggest(
    root: str,
    run: str | None = None,
    count: int = 20,
    store: str | None = None,
    split: Split = "train",
    layout: LayoutName = "auto",
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
        layout: Layout of the data set; auto recognises it.
        most: How many frames to look at, evenly spread over the videos.
        runs: Folder of all runs.
    """
    from weclick.cli.runs import named_or_newest
    from weclick.pipeline.suggest import suggest_with

    with progress_bar("suggest") as progress:
        found = suggest_with(
            named_or_newest(run, runs).checkpoint("student", "last"),
            open_layout(layout, Path(root)),
            _store_path(root, store),
            split=split,
            count=count,
            most=most,
            progress=progress,
        )
    if not found:
        print(f"every frame of the {split} split of {root} is clicked or skipped already")
        return
    print(f"{'frame':<40} {'score':>6} {'unsure':>6} {'unsteady':>8} {'contradicted':>12}")
    for one in found:
        print(f"{one.key!s:<40} {one.score:6.3f} {one.unsure:6.3f} {one.unsteady:8.3f} {one.contradicted:12.3f}")


def data_check(root: str, layout: LayoutName = "auto") -> int:
    """Read every file of a data set and print what is there; exit status 1 if something is wrong.

    Args:
        root: Folder of the data set.
        layout: cityscapes, camvid, folder, or auto to recognise it.
    """
    from weclick.data.check import check_data, print_report

    opened = open_layout(layout, Path(root))
    with progress_bar("check") as progress:
        report = check_data(opened, progress=progress)
    print_report(report)
    return 0 if report.ok else 1


def data_synthetic(
    out: str,
    seed: int = 0,
    train: int = 48,
    val: int = 8,
    frames: int = 12,
    target: int = 7,
    size: tuple[int, int] = (256, 512),
) -> None:
    """Write a synthetic street data set in the official Cityscapes layout.

    Args:
        out: Folder to make.
        seed: The same seed gives the same bytes.
        train: Number of training snippets; only their target frame is labelled.
        val: Number of validation snippets; all their frames are labelled.
        frames: Frames per snippet.
        target: Number of the target frame in its snippet.
        size: Height and width of frames.
    """
    from weclick.data.synthetic import write_synthetic

    write_synthetic(Path(out), seed=seed, train=train, val=val, frames=frames, target=target, size=size)
    print(f"{train} training and {val} validation snippets of {frames} frames in {out}")


def data_camvid(source: str, out: str, size: tuple[int, int] = (360, 480), reach: int = 10) -> None:
    """Prepare CamVid as it is published: labels to 11 classes, splits, neighbour frames from the videos.

    Args:
        source: Folder with 701_StillsRaw_full, LabeledApproved_full, and the videos if you have them.
        out: Folder to make.
        size: Height and width to resize to.
        reach: Video frames to keep on each side of a labelled still.
    """
    from weclick.data.prepare_camvid import prepare_camvid

    with progress_bar("prepare") as progress:
        prepare_camvid(Path(source), Path(out), size=size, reach=reach, progress=progress)
    print(f"CamVid is ready in {out}; train with: weclick fit --config camvid.yaml --data.root {out}")


TOOLS: Final[dict[str, dict[str, Any]]] = {
    "clicks": {
        "simulate": clicks_simulate,
        "import": clicks_import,
        "export": clicks_export,
        "check": clicks_check,
        "stats": clicks_stats,
        "suggest": clicks_suggest,
    },
    "data": {"check": data_check, "synthetic": data_synthetic, "camvid": data_camvid},
}


def _store_path(root: str, store: str | None) -> Path:
    return Path(store) if store else Path(root) / CLICKS_FILE


def _opened(path: Path, layout: Layout) -> ClickStore:
    if not path.exists():
        raise ClickError(
            f"no click store at {path}; make one with weclick clicks simulate or import, or name it (--store)"
        )
    return ClickStore(path, layout.classes, readonly=True)
