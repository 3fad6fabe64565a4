"""The files of CamVid, in the forms in which people have it: as published, or as the SegNet tutorial's copy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from weclick.data.index import SPLITS, FrameKey, Split
from weclick.data.layouts.camvid import CLASSES, VOID, CamVidLayout, frame_key
from weclick.errors import DataError
from weclick.files import walk
from weclick.images import read_image, read_label
from weclick.listing import IMAGE_SUFFIXES

STILLS: Final = "701_StillsRaw_full"
LABELS: Final = "LabeledApproved_full"

_LABEL: Final = re.compile(r"(?P<still>.+_[a-z]?[0-9]+)_L")

_Color = tuple[int, int, int]

COLORS: Final[dict[str, tuple[_Color, ...]]] = {
    "sky": ((128, 128, 128),),
    "building": ((0, 128, 64), (128, 0, 0), (64, 192, 0), (64, 0, 64), (192, 0, 128)),
    "pole": ((192, 192, 128), (0, 0, 64)),
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),
    "tree": ((128, 128, 0), (192, 192, 0)),
    "sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),
    "fence": ((64, 64, 128),),
    "car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    "pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),
    "bicyclist": ((0, 128, 192), (192, 0, 192)),
}
"""The 31 published colours of each of the 11 classes, grouped as in the MATLAB segmentation example; black is void."""


@dataclass(frozen=True)
class CamVidFrame:
    """A frame of CamVid: its image, its mask if it has one, and the path of the image in the layout that weclick reads."""

    key: FrameKey
    image: Path
    label: Path | None
    target: Path


@dataclass(frozen=True)
class CamVidFiles:
    """What was found: frames, how their masks are read (to ids and ``VOID``), and all folders with the names of their files."""

    frames: Sequence[CamVidFrame]
    read_label: Callable[[Path], np.ndarray]
    folders: Mapping[Path, Sequence[str]]


def find_camvid(places: Iterable[Path]) -> CamVidFiles:
    """Find CamVid in folders, by the names of its files.

    As published, ``0001TP_006690_L.png`` in any folder is the mask of ``0001TP_006690.png`` in any other, and the splits are
    those of the SegNet tutorial. Otherwise there must be one folder in the tutorial's layout.

    Args:
        places: Folders, which are searched as a whole, and single video files.

    Raises:
        DataError: There is no CamVid, more than one, or a part of it.
    """
    folders = _list_folders(places)
    if published := _published(folders):
        return CamVidFiles(published, read_color_label, folders)
    roots = [folder for folder in folders if CamVidLayout.recognises(folder)]
    if len(roots) > 1:
        raise DataError(f"{roots[0]} and {roots[1]} both hold CamVid; name only one of them")
    if roots:
        return CamVidFiles(list(_tutorial(roots[0])), lambda path: read_label(path, None), folders)
    raise DataError(
        f"no masks of CamVid found; looked for <video>_<number>_L.png ({LABELS}) with their images ({STILLS}), and for "
        f"{CamVidLayout.needs} (SegNet tutorial)"
    )


def _list_folders(places: Iterable[Path]) -> dict[Path, list[str]]:
    """Return all folders in some places with the names of their files; of a place that is a file, its folder with only that."""
    folders: dict[Path, set[str]] = {}
    for place in places:
        if place.is_file():
            folders.setdefault(place.parent, set()).add(place.name)
        for _, folder, names in walk(place):
            folders.setdefault(folder, set()).update(names)
    return {folder: sorted(names) for folder, names in folders.items()}


def _published(folders: Mapping[Path, Sequence[str]]) -> list[CamVidFrame]:
    """Return the frames of CamVid as published; none where there are no masks with names like those."""
    images = [folder / name for folder, names in folders.items() for name in names]
    images = [path for path in images if path.suffix.lower() in IMAGE_SUFFIXES]
    labels = _by_still(path for path in images if _LABEL.fullmatch(path.stem))
    homes = {path.parent for path in images if path.stem in labels}
    stills = _by_still(path for path in images if path.parent in homes and not _LABEL.fullmatch(path.stem))
    if orphans := sorted(labels.keys() - stills.keys()):
        raise DataError(
            f"{labels[orphans[0]]} has no image {orphans[0]}.png, like {len(orphans)} of {len(labels)} masks; add {STILLS}"
        )
    frames = []
    for still, path in stills.items():
        key = frame_key(path)
        frames.append(CamVidFrame(key, path, labels.get(still), Path(segnet_split(key), path.name)))
    return frames


def _by_still(paths: Iterable[Path]) -> dict[str, Path]:
    """Return images or masks by the stem of the still, sorted."""
    found: dict[str, Path] = {}
    for path in paths:
        match = _LABEL.fullmatch(path.stem)
        other = found.setdefault(match["still"] if match else path.stem, path)
        if other != path:
            raise DataError(f"{other} and {path} are of the same still; name or keep only one of them")
    return dict(sorted(found.items()))


def segnet_split(key: FrameKey) -> Split:
    """Return the split the SegNet tutorial puts a still in."""
    if key.video == "0016E5" and 7959 <= key.number <= 8159:
        return "val"
    return "test" if key.video == "Seq05VD" or (key.video == "0001TP" and key.number >= 8550) else "train"


def _tutorial(root: Path) -> Iterator[CamVidFrame]:
    """Yield the frames of the SegNet tutorial's copy, after comparing it with its lists."""
    layout = CamVidLayout(root)
    for split in SPLITS:
        frames = layout.frames(split)
        _refuse_missing(root / f"{split}.txt", {frame.image.stem for frame in frames if frame.label})
        for frame in frames:
            yield CamVidFrame(frame.key, frame.image, frame.label, frame.image.relative_to(root))


def _refuse_missing(listing: Path, labelled: set[str]) -> None:
    """Refuse a copy that lacks something of a list, whose lines are ``.../train/NAME.png .../trainannot/NAME.png``."""
    words = listing.read_text(encoding="utf-8", errors="replace").split() if listing.is_file() else []
    listed = {Path(word).stem for word in words if Path(word).suffix.lower() in IMAGE_SUFFIXES}
    if missing := sorted(listed - labelled):
        raise DataError(
            f"{listing} lists {len(missing)} images that are missing, or have no mask, first {missing[0]}; get the whole copy"
        )


def read_color_label(path: Path) -> np.ndarray:
    """Read a published RGB label as ids of the 11 classes and ``VOID``, uint8 (H, W).

    Raises:
        DataError: The file is bad or holds a colour CamVid does not have.
    """
    packed = read_image(path).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])  # a colour as one number, 0xRRGGBB
    table = {0: VOID} | {(r << 16) + (g << 8) + b: CLASSES.index(n) for n, group in COLORS.items() for r, g, b in group}
    values, inverse = np.unique(packed, return_inverse=True)
    if unknown := [(v >> 16, v >> 8 & 255, v & 255) for v in values.tolist() if v not in table]:
        raise DataError(
            f"{path} holds colours CamVid does not have: {', '.join(map(str, unknown[:5]))}; fetch it again"
        )
    return np.array([table[value] for value in values.tolist()], np.uint8)[inverse].reshape(packed.shape)
