"""What is in a data set, and which of its files are bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weclick.classes import ClassSet
from weclick.data.checksums import checksum_problems
from weclick.data.decode import Progress
from weclick.data.index import Frame, FrameKey, Layout, Split, segments
from weclick.data.layouts.listed import ListedLayout
from weclick.data.mask_content import MaskContent, count_pixels
from weclick.data.spacing import describe_spacing
from weclick.data.unused import first_names, unused_files
from weclick.errors import DataError
from weclick.images import check_same_size, read_image, read_instances, read_label
from weclick.machine import usable_cores

_MOST_PRINTED: Final = 20


@dataclass
class SplitReport:
    """What one split holds.

    ``sizes`` counts the images of each (H, W); ``pixels`` counts the label pixels of each class, the ignored ones last;
    ``spacing`` lists the videos by what was decided about the distance of their frames.
    """

    videos: list[str]
    segments: int
    frames: int
    labelled: int
    pixels: np.ndarray
    spacing: dict[str, list[str]]
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def shares(self) -> np.ndarray:
        """Share of each class among the pixels that have one, float (C,); all 0 without masks."""
        labelled = self.pixels[:-1]
        return np.asarray(labelled / max(int(labelled.sum()), 1))


@dataclass
class DataReport:
    """Counts per split, one line for every bad file, for what is probably a mistake, and for each group of unused files."""

    root: Path
    layout: str
    classes: ClassSet
    splits: dict[Split, SplitReport] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every file can be used."""
        return not self.problems

    @property
    def labelled(self) -> bool:
        """Whether any frame has a mask."""
        return any(part.labelled for part in self.splits.values())


@dataclass(frozen=True)
class _Content:
    """What reading the files of one frame gave."""

    size: tuple[int, int] | None = None
    pixels: np.ndarray | None = None
    problem: str | None = None


def check_data(layout: Layout, problems: Iterable[str] = (), *, progress: Progress | None = None) -> DataReport:
    """Read every file of a data set and report its content; a bad file becomes a problem in the report, not an exception.

    Args:
        layout: The opened data set.
        problems: Problems of the files that ``layout`` skipped when it was opened.
        progress: Called with (frames read, frames to read).
    """
    report = DataReport(layout.root, layout.name, layout.classes, problems=list(problems), unused=unused_files(layout))
    frames = {split: layout.frames(split) for split in layout.splits()}
    rates = layout.rates() if isinstance(layout, ListedLayout) else {}
    total, done, masks = sum(map(len, frames.values())), 0, MaskContent.none(layout.classes)
    for split, listed in frames.items():
        others = [frame.key for other in frames if other != split for frame in frames[other]]
        part = report.splits[split] = _count(listed, others, layout.classes, rates)
        sizes: dict[str, tuple[int, int]] = {}
        for frame, content in zip(listed, _inspect_all(listed, layout), strict=True):
            report.problems += [content.problem] if content.problem else []
            if content.size is not None:
                part.sizes[content.size] += 1
                if content.size != sizes.setdefault(frame.key.video, content.size):
                    report.problems.append(_odd_size(frame, content.size, sizes[frame.key.video]))
            if content.pixels is not None and frame.label is not None:
                part.pixels += content.pixels
                masks.add(frame.label, content.pixels)
            done += 1
            if progress is not None:
                progress(done, total)
    report.problems += checksum_problems(layout.root)
    messages = (masks.single_class_message(), masks.void_message(), _case_message(report))
    report.warnings += [message for message in messages if message is not None]
    return report


def _case_message(report: DataReport) -> str | None:
    names = sorted(
        {name for part in report.splits.values() for name in part.videos}, key=lambda name: (name.lower(), name)
    )
    pair = next((pair for pair in pairwise(names) if pair[0].lower() == pair[1].lower()), None)
    if pair is None:
        return None
    return (
        f"videos {pair[0]} and {pair[1]} differ in case only; on Windows and macOS one replaces the other: rename one"
    )


def _count(
    frames: Sequence[Frame], others: list[FrameKey], classes: ClassSet, rates: Mapping[str, float]
) -> SplitReport:
    cut = segments(frames, others)
    return SplitReport(
        videos=sorted({frame.key.video for frame in frames}),
        segments=len(cut),
        frames=len(frames),
        labelled=sum(frame.label is not None for frame in frames),
        pixels=np.zeros(len(classes) + 1, np.int64),
        spacing=describe_spacing(cut, rates),
    )


def _inspect_all(frames: Sequence[Frame], layout: Layout) -> Iterator[_Content]:
    # OpenCV releases the interpreter's lock while it decodes, so threads are enough; processes would copy results.
    pool = ThreadPoolExecutor(usable_cores())
    try:
        yield from pool.map(lambda frame: _inspect(frame, layout), frames)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C a hundred thousand files may still be in the queue


def _inspect(frame: Frame, layout: Layout) -> _Content:
    size, pixels = None, None
    try:
        image = read_image(frame.image)
        size = (image.shape[0], image.shape[1])
        if frame.label is not None:
            label = read_label(frame.label, layout.label_ids())
            check_same_size(image.shape, label.shape, frame.image, frame.label)
            pixels = count_pixels(label, layout.classes)
        if frame.instances is not None:
            check_same_size(image.shape, read_instances(frame.instances).shape, frame.image, frame.instances)
    except DataError as error:
        return _Content(size, pixels, str(error))
    return _Content(size, pixels)


def _odd_size(frame: Frame, size: tuple[int, int], usual: tuple[int, int]) -> str:
    (h, w), (usual_h, usual_w) = size, usual
    return f"{frame.image} is {w}x{h} but its video starts with {usual_w}x{usual_h}; frames of a video need one size"


def print_report(report: DataReport, console: Console | None = None) -> None:
    """Print a report: a table of splits, one of classes, and the first bad files."""
    console = console or Console()
    console.print(f"{report.root}: {report.layout} layout, {len(report.classes)} classes", markup=False, soft_wrap=True)
    console.print(_split_table(report))
    for split, part in report.splits.items():
        for spacing, videos in part.spacing.items():
            console.print(f"{split}: {first_names(videos)} ({spacing})", markup=False, soft_wrap=True)
    if report.labelled:
        console.print(_class_table(report))
    else:
        console.print("no masks: clicks can be trained from, and some are held out to measure with")
    for lines, style in ((report.warnings, "yellow"), (report.unused, "yellow"), (report.problems, "red")):
        for line in lines[:_MOST_PRINTED]:
            console.print(line, style=style, markup=False, soft_wrap=True)
        if (more := len(lines) - _MOST_PRINTED) > 0:
            console.print(f"... and {more} more")
    console.print(f"{len(report.problems)} problems" if report.problems else "no problems found")


def _split_table(report: DataReport) -> Table:
    table = Table("split", "videos", "segments", "frames", "labelled", "sizes")
    for split, part in report.splits.items():
        sizes = ", ".join(f"{w}x{h} ({count})" for (h, w), count in part.sizes.most_common(3))
        counts = (len(part.videos), part.segments, part.frames, part.labelled)
        table.add_row(split, *map(str, counts), sizes + (", ..." if len(part.sizes) > 3 else ""))
    return table


def _class_table(report: DataReport) -> Table:
    table = Table("class", "kind", *[f"% of {split} pixels" for split in report.splits])
    for index, semantic in enumerate(report.classes):
        shares = [f"{100 * part.shares[index]:.2f}" for part in report.splits.values()]
        table.add_row(escape(semantic.name), "thing" if semantic.thing else "stuff", *shares)
    ignored = [f"{100 * part.pixels[-1] / max(int(part.pixels.sum()), 1):.2f}" for part in report.splits.values()]
    table.add_row("(ignored, of all)", "", *ignored)
    return table
