"""CamVid in the layout of the SegNet tutorial, with optional unlabelled frames beside it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet, SemanticClass
from weclick.conventions import IGNORE_INDEX
from weclick.data.index import Frame, FrameKey, Refuse, Split, refuse
from weclick.errors import DataError
from weclick.images import list_images, list_numbered

_SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")
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


class CamVidLayout:
    """CamVid: ``train``, ``val``, ``test`` with ``trainannot``, ``valannot``, ``testannot``; images as PNG or JPEG.

    The video is the part of a file name before the last underscore: ``0001TP_006690`` is frame 6690 of ``0001TP``.
    ``frames/<video>/<number>.jpg`` may add unlabelled frames. Such a frame belongs to the split of the frames it lies
    between (or beside, at the ends); between frames of two splits, or in a video no split has, it belongs to none.

    Args:
        root: The data set.
        refuse: Told of every file that cannot be used; see :func:`weclick.data.layouts.open_layout`.

    Raises:
        DataError: No such folder, or no image folder with its masks is in it.
    """

    name: Final = "camvid"
    needs = "train/ with trainannot/ (or val/, test/ with theirs)"
    classes = CLASSES

    def __init__(self, root: Path, refuse: Refuse = refuse) -> None:
        self.root = root
        self._refuse = refuse
        if not self.recognises(root):
            raise DataError(f"{root} holds no CamVid data of the SegNet layout; {self.needs} was looked for there")
        self._found: dict[Split, list[Frame]] | None = None

    @classmethod
    def recognises(cls, root: Path) -> bool:
        """Tell whether ``root`` looks like this layout."""
        return any((root / split).is_dir() and (root / f"{split}annot").is_dir() for split in _SPLITS)

    def splits(self) -> tuple[Split, ...]:
        """Splits that have frames on disk."""
        return tuple(split for split in _SPLITS if self.frames(split))

    def frames(self, split: Split) -> list[Frame]:
        """All frames of a split, ordered by video and number.

        Raises:
            DataError: A mask has no image, a frame lies in two splits, or a file name has no frame number.
        """
        if self._found is None:
            self._found = self._list()
        return list(self._found[split])

    def label_ids(self) -> Sequence[int]:
        """Ids 0 to 10 as they are; 11 (void) and 255 are ignored."""
        table = [-1] * 256
        table[: len(CLASSES)] = range(len(CLASSES))
        table[VOID] = table[IGNORE_INDEX] = IGNORE_INDEX
        return tuple(table)

    def _list(self) -> dict[Split, list[Frame]]:
        found: dict[Split, list[Frame]] = {split: self._own(split) for split in _SPLITS}
        splits: dict[FrameKey, Split] = {}
        for split in _SPLITS:
            for frame in found[split]:
                if frame.key in splits:
                    self._refuse(
                        DataError(f"{frame.image} is also a frame of {splits[frame.key]}; keep it in one split")
                    )
                splits.setdefault(frame.key, split)
        self._attach_extra(found, splits)
        return {split: sorted(frames, key=lambda frame: frame.key) for split, frames in found.items()}

    def _attach_extra(self, found: Mapping[Split, list[Frame]], splits: Mapping[FrameKey, Split]) -> None:
        numbers: dict[str, list[int]] = {}
        for video, number in sorted(splits):
            numbers.setdefault(video, []).append(number)
        for key, path in self._extra().items():
            position = bisect_left(own := numbers.get(key.video, []), key.number)
            around = {splits[FrameKey(key.video, number)] for number in own[max(position - 1, 0) : position + 1]}
            if key not in splits and len(around) == 1:
                found[around.pop()].append(Frame(key, path))

    def _own(self, split: Split) -> list[Frame]:
        images = list_images(self.root / split)
        labels = list_images(self.root / f"{split}annot", (".png",))
        for stem, path in labels.items():
            if stem not in images:
                image = self.root / split / stem
                self._refuse(DataError(f"{path} has no image {image} (.png, .jpg); restore the image"))
        return [Frame(key, path, labels.get(path.stem)) for key, path in self._keyed(images.values())]

    def _keyed(self, images: Iterable[Path]) -> Iterator[tuple[FrameKey, Path]]:
        for path in images:
            try:
                yield frame_key(path), path
            except DataError as error:
                self._refuse(error)

    def _extra(self) -> dict[FrameKey, Path]:
        folder = self.root / "frames"
        found: dict[FrameKey, Path] = {}
        for video in sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []:
            try:
                found |= {FrameKey(video.name, number): path for number, path in list_numbered(video).items()}
            except DataError as error:
                self._refuse(error)
        return found


def frame_key(path: Path) -> FrameKey:
    """Return the video and number a CamVid file name carries.

    Raises:
        DataError: The name is not ``<video>_<number>``.
    """
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise DataError(f"{path} is not named <video>_<number>, such as 0001TP_006690; rename or remove it")
    return FrameKey(match["video"], int(match["number"]))
