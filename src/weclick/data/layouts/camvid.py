"""CamVid in the layout of the SegNet tutorial, with optional unlabelled frames beside it."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from weclick.classes import ClassSet, SemanticClass
from weclick.conventions import IGNORE_INDEX
from weclick.data.index import SPLITS, Frame, FrameKey, Split
from weclick.data.layouts.listed import ListedLayout, refuse_lossy_masks
from weclick.errors import DataError
from weclick.listing import IMAGE_SUFFIXES, MASK_SUFFIXES, list_folders, list_images, list_numbered

_NAME = re.compile(r"(?P<video>.+)_[a-z]?(?P<number>[0-9]+)")

VOID: Final = 11
"""Stored value of pixels that belong to no class."""

CLASSES: Final = ClassSet(
    (
        SemanticClass("sky", (128, 128, 128)),
        SemanticClass("building", (128, 0, 0)),
        SemanticClass("pole", (192, 192, 128)),
        SemanticClass("road", (128, 64, 128)),
        SemanticClass("pavement", (60, 40, 222)),
        SemanticClass("tree", (128, 128, 0)),
        SemanticClass("sign", (192, 128, 128)),
        SemanticClass("fence", (64, 64, 128)),
        SemanticClass("car", (64, 0, 128), thing=True),
        SemanticClass("pedestrian", (64, 64, 0), thing=True),
        SemanticClass("bicyclist", (0, 128, 192), thing=True),
    )
)
"""The 11 classes of the SegNet tutorial, in its order and colours."""


class CamVidLayout(ListedLayout):
    """CamVid: ``train``, ``val``, ``test`` with ``trainannot``, ``valannot``, ``testannot``; images as PNG or JPEG.

    The video is the part of a file name before the last underscore: ``0001TP_006690`` is frame 6690 of ``0001TP``.
    ``frames/<video>/<number>.jpg`` may add unlabelled frames. Such a frame belongs to the split of the frames it lies
    between (or beside, at the ends); between frames of two splits, or in a video no split has, it belongs to none.
    """

    name = "camvid"
    needs = "train/ with trainannot/ (or val/, test/ with theirs)"
    reads = MappingProxyType(
        {"frames": IMAGE_SUFFIXES}
        | dict.fromkeys(SPLITS, IMAGE_SUFFIXES)
        | {f"{split}annot": MASK_SUFFIXES for split in SPLITS}
    )
    companions = re.compile(r"Thumbs\.db")
    classes = CLASSES

    @classmethod
    def recognises(cls, root: Path) -> bool:
        """Return whether ``root`` looks like this layout."""
        return any((root / split).is_dir() and (root / f"{split}annot").is_dir() for split in SPLITS)

    def label_ids(self) -> Sequence[int]:
        """Ids 0 to 10 as they are; 11 (void) and 255 are ignored."""
        table = [-1] * 256
        table[: len(CLASSES)] = range(len(CLASSES))
        table[VOID] = table[IGNORE_INDEX] = IGNORE_INDEX
        return tuple(table)

    def _list(self) -> dict[Split, list[Frame]]:
        frames = {split: self._stills(split) for split in SPLITS}
        homes: dict[FrameKey, Split] = {}
        for split in SPLITS:
            for frame in frames[split]:
                if frame.key in homes:
                    self._refuse(
                        DataError(f"{frame.image} is also a frame of {homes[frame.key]}; keep it in one split")
                    )
                homes.setdefault(frame.key, split)
        for split, frame in self._extra_frames(homes):
            frames[split].append(frame)
        for listed in frames.values():
            listed.sort(key=lambda frame: frame.key)
        return frames

    def _extra_frames(self, homes: Mapping[FrameKey, Split]) -> Iterator[tuple[Split, Frame]]:
        """Yield the frames of ``frames/`` that belong to a split, which is that of the stills on either side."""
        stills: dict[str, list[int]] = {}
        for video, number in sorted(homes):
            stills.setdefault(video, []).append(number)
        for video, images in self._extra_images():
            numbers = stills.get(video, [])
            splits = [homes[FrameKey(video, number)] for number in numbers]
            for number, path in images.items():
                position = bisect_left(numbers, number)
                # The nearest still on either side; between two splits a frame would leak one into the other.
                around = splits[max(position - 1, 0) : position + 1]
                is_still = position < len(numbers) and numbers[position] == number
                if around and around[0] == around[-1] and not is_still:
                    yield around[0], Frame(FrameKey(video, number), path)

    def _extra_images(self) -> Iterator[tuple[str, dict[int, Path]]]:
        for folder in list_folders(self.root / "frames"):
            try:
                yield folder.name, list_numbered(folder)
            except DataError as error:
                self._refuse(error)

    def _stills(self, split: Split) -> list[Frame]:
        images = list_images(self.root / split)
        labels = list_images(self.root / f"{split}annot", MASK_SUFFIXES)
        try:
            refuse_lossy_masks(self.root / f"{split}annot")
        except DataError as error:
            self._refuse(error)
        for stem, path in labels.items():
            if stem not in images:
                image = self.root / split / stem
                self._refuse(DataError(f"{path} has no image {image} (.png, .jpg); restore the image"))
        frames = []
        for stem, path in images.items():
            try:
                frames.append(Frame(frame_key(path), path, labels.get(stem)))
            except DataError as error:
                self._refuse(error)
        return frames


def frame_key(path: Path) -> FrameKey:
    """Return the video and number that a CamVid file name states.

    Raises:
        DataError: The name is not ``<video>_<number>``.
    """
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise DataError(f"{path} is not named <video>_<number>, such as 0001TP_006690; rename or remove it")
    # Interned: one string for all frames of a video takes less memory, and sorting compares it by identity.
    return FrameKey(sys.intern(match["video"]), int(match["number"]))
