"""Extraction of Cityscapes from its official archives: only the files that a config needs, and never twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from weclick.data.cityscapes_archives import LABELLED, MASKS, SEQUENCE, Source, archive_name, open_sources
from weclick.data.decode import Progress
from weclick.data.index import SPLITS, Clip, Frame, FrameKey, Segment, Split, clips, segments
from weclick.data.layouts.cityscapes import STEM
from weclick.data.options import ClipOptions
from weclick.disk import check_space
from weclick.errors import DataError
from weclick.files import atomic_path, writing


@dataclass(frozen=True)
class Extraction:
    """What an extraction did: numbers of files, bytes of all of them, and labelled frames with too few neighbours."""

    extracted: int
    existing: int
    size: int
    short: tuple[FrameKey, ...]


@dataclass(frozen=True)
class Need:
    """What is needed beside the labelled frames and their masks.

    Args:
        clips: How neighbours of a labelled frame are chosen.
        unlabelled: Neighbours need their own neighbours too (``data.draws.unlabelled`` above 0).
        pairs: Also the frames before and after each labelled frame of val, which temporal consistency is measured with.
    """

    clips: ClipOptions
    unlabelled: bool = False
    pairs: bool = True

    @property
    def sequence(self) -> bool:
        """Whether anything is needed from the archive of sequences."""
        return self.pairs or self.clips.neighbours > 0


def extract_cityscapes(source: Path, root: Path, need: Need, *, progress: Progress | None = None) -> Extraction:
    """Extract from the official archives what ``need`` describes, each file whole or not at all.

    A file that exists in ``root`` with the archive's size and CRC is not extracted again, so an interrupted extraction is
    continued by calling this again. A file of other content is replaced.

    Args:
        source: Folder with ``gtFine_trainvaltest.zip``, ``leftImg8bit_trainvaltest.zip`` and, where ``need`` requires it,
            ``leftImg8bit_sequence_trainvaltest.zip``. Each may also lie in a folder of its name, or be unpacked there or in
            ``source``.
        root: Folder of the data set.
        need: What to extract.
        progress: Called with (bytes done, bytes in total).

    Raises:
        DataError: An archive is missing, truncated or damaged, or lacks the image of a mask.
        DiskError: The disk is too small.
    """
    folders = [MASKS, LABELLED, *([SEQUENCE] if need.sequence else [])]
    with ExitStack() as stack:
        sources = open_sources(source, folders, stack)
        listed = _list_frames(sources)
        wanted, short = _needed_frames(listed, need)
        paths = sorted({*_masks(sources[MASKS]), *(frame.image.as_posix() for frame in wanted)})
        files = [(path, sources[path.partition("/")[0]]) for path in paths]
        total, done = sum(origin.size(path) for path, origin in files), 0
        missing = []
        for path, origin in files:
            if origin.is_at(path, root / path):
                done += origin.size(path)
                _report(progress, done, total)
            else:
                missing.append((path, origin))
        check_space(root, total - done, f"{root}")
        for path, origin in missing:
            content = origin.read(path)
            # Not durable: a sync per file would take longer than its extraction, and the next run compares CRCs.
            with writing(root / path), atomic_path(root / path, durable=False) as temporary:
                temporary.write_bytes(content)
            done += len(content)
            _report(progress, done, total)
    return Extraction(len(missing), len(files) - len(missing), total, tuple(short))


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _masks(source: Source) -> Iterator[str]:
    """Yield the masks and instance masks; colours and polygons of the archive are not needed."""
    for path in source.paths():
        match = STEM.fullmatch(Path(path).stem)
        if match and match["kind"] != "leftImg8bit":
            yield path


def _list_frames(sources: Mapping[str, Source]) -> dict[Split, list[Frame]]:
    """List the frames of the sources by split, as the layout lists them on disk."""
    images: dict[Split, dict[FrameKey, Path]] = {split: {} for split in SPLITS}
    labels: dict[Split, dict[FrameKey, Path]] = {split: {} for split in SPLITS}
    for folder in (SEQUENCE, LABELLED, MASKS):  # a frame in both folders of images is taken from the later one
        for path in sources[folder].paths() if folder in sources else ():
            place, stem = Path(path), STEM.fullmatch(Path(path).stem)
            if (
                stem is not None
                and path.startswith(f"{folder}/")
                and stem["kind"] in ("leftImg8bit", "gtFine_labelIds")
            ):
                kind = images if stem["kind"] == "leftImg8bit" else labels
                split: Split = next(split for split in SPLITS if split == place.parts[1])
                kind[split][FrameKey(stem["video"], int(stem["number"]))] = place
    lacking = [key for split in SPLITS for key in labels[split] if key not in images[split]]
    if lacking:
        raise DataError(
            f"{sources[LABELLED].place} lacks the images of {len(lacking)} masks, first of {lacking[0]}; download "
            f"{archive_name(LABELLED)} again"
        )
    return {
        split: [Frame(key, image, labels[split].get(key)) for key, image in images[split].items()] for split in SPLITS
    }


def _needed_frames(listed: Mapping[Split, list[Frame]], need: Need) -> tuple[set[Frame], list[FrameKey]]:
    """Return the needed frames, and the labelled ones of train and val that have fewer neighbours than ``need`` names."""
    needed = {frame for frames in listed.values() for frame in frames if frame.label is not None}
    short = []
    for split in ("train", "val"):  # the public masks of test hold no class, so nothing is trained or measured there
        borders = [frame.key for other, frames in listed.items() if other != split for frame in frames]
        for segment in segments(listed[split], borders):
            found = _clips(segment, (frame.key for frame in segment.frames if frame.label is not None), need)
            short += [clip.target.key for clip in found if len(clip.neighbours) < need.clips.neighbours]
            if need.unlabelled:
                found += _clips(segment, (frame.key for clip in found for frame in clip.neighbours), need)
            for clip in found:
                reach = segment.step if split == "val" and need.pairs and clip.target.label is not None else 0
                needed |= _between(segment, clip, reach)
    return needed, short


def _clips(segment: Segment, targets: Iterable[FrameKey], need: Need) -> list[Clip]:
    options = need.clips
    return clips([segment], targets, neighbours=options.neighbours, stride=options.stride, sides=options.sides)


def _between(segment: Segment, clip: Clip, reach: int) -> set[Frame]:
    """Return the frames from a clip's first to its last, and ``reach`` frame numbers on each side of its target.

    A stride skips frames, but without them the step of the segment on disk would be another one.
    """
    target = clip.target.key.number
    numbers = [target - reach, target + reach, *(frame.key.number for frame in clip.neighbours)]
    frames = (segment.at(number) for number in range(min(numbers), max(numbers) + 1, segment.step))
    return {frame for frame in frames if frame is not None}
