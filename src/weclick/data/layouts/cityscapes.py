"""The official Cityscapes tree, which weclick's synthetic data set uses too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet, SemanticClass
from weclick.conventions import IGNORE_INDEX
from weclick.data.index import Frame, FrameKey, Refuse, Split, refuse
from weclick.errors import DataError
from weclick.images import list_images, read_label

_IMAGES: Final = ("leftImg8bit", "leftImg8bit_sequence")
_SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")
_NAME = re.compile(r"(?P<video>.+_[0-9]+)_(?P<number>[0-9]+)_(?P<kind>leftImg8bit|gtFine_labelIds|gtFine_instanceIds)")

CLASSES: Final = ClassSet(
    (
        SemanticClass("road", (128, 64, 128)),
        SemanticClass("sidewalk", (244, 35, 232)),
        SemanticClass("building", (70, 70, 70)),
        SemanticClass("wall", (102, 102, 156)),
        SemanticClass("fence", (190, 153, 153)),
        SemanticClass("pole", (153, 153, 153)),
        SemanticClass("traffic light", (250, 170, 30)),
        SemanticClass("traffic sign", (220, 220, 0)),
        SemanticClass("vegetation", (107, 142, 35)),
        SemanticClass("terrain", (152, 251, 152)),
        SemanticClass("sky", (70, 130, 180)),
        SemanticClass("person", (220, 20, 60), thing=True),
        SemanticClass("rider", (255, 0, 0), thing=True),
        SemanticClass("car", (0, 0, 142), thing=True),
        SemanticClass("truck", (0, 0, 70), thing=True),
        SemanticClass("bus", (0, 60, 100), thing=True),
        SemanticClass("train", (0, 80, 100), thing=True),
        SemanticClass("motorcycle", (0, 0, 230), thing=True),
        SemanticClass("bicycle", (119, 11, 32), thing=True),
    )
)
"""The 19 classes that are evaluated, in the order of the official train ids."""

LABEL_IDS: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Official label id of each class; the other ids from 0 to 33 are ignored."""


class CityscapesLayout:
    """Cityscapes: ``leftImg8bit``, ``leftImg8bit_sequence``, ``gtFine``; images as PNG or JPEG.

    A video is ``<city>_<sequence>``; its frames are all images of that name, wherever the labelled one lies among them.
    Frames without a mask are unlabelled. The public test masks hold no class at all and count as none.

    Args:
        root: The data set.
        refuse: Told of every file that cannot be used; see :func:`weclick.data.layouts.open_layout`.

    Raises:
        DataError: No such folder, or neither image folder is in it.
    """

    name: Final = "cityscapes"
    needs = "leftImg8bit/ or leftImg8bit_sequence/"
    classes = CLASSES

    def __init__(self, root: Path, refuse: Refuse = refuse) -> None:
        self.root = root
        self._refuse = refuse
        if not self.recognises(root):
            raise DataError(f"{root} holds no Cityscapes data; {self.needs} was looked for there")
        self._found: dict[Split, list[Frame]] = {}

    @classmethod
    def recognises(cls, root: Path) -> bool:
        """Tell whether ``root`` looks like this layout."""
        return any((root / folder).is_dir() for folder in _IMAGES)

    def splits(self) -> tuple[Split, ...]:
        """Splits that have frames on disk."""
        return tuple(split for split in _SPLITS if self.frames(split))

    def frames(self, split: Split) -> list[Frame]:
        """All frames of a split, ordered by video and number.

        Raises:
            DataError: A mask has no image, or a file name is not of the official form.
        """
        if split not in self._found:
            self._found[split] = self._list(split)
        return list(self._found[split])

    def label_ids(self) -> Sequence[int]:
        """Official label ids to train ids; 34 and above are unknown."""
        known = [LABEL_IDS.index(value) if value in LABEL_IDS else IGNORE_INDEX for value in range(34)]
        return (*known, *[-1] * (256 - len(known)))

    def _list(self, split: Split) -> list[Frame]:
        images: dict[FrameKey, Path] = {}
        for folder in _IMAGES:
            for key, path in self._keyed(self.root / folder / split, "leftImg8bit"):
                images.setdefault(key, path)
        labels = dict(self._keyed(self.root / "gtFine" / split, "gtFine_labelIds"))
        instances = dict(self._keyed(self.root / "gtFine" / split, "gtFine_instanceIds"))
        for key, path in labels.items():
            if key not in images:
                self._refuse(DataError(f"{path} has no image in {' or '.join(_IMAGES)}/{split}; restore the image"))
        if split == "test" and self._are_dummies(list(labels.values())):
            labels = instances = {}
        return [Frame(key, images[key], labels.get(key), instances.get(key)) for key in sorted(images)]

    def _are_dummies(self, labels: list[Path]) -> bool:
        # The public test masks are all void; three of them tell without reading 1525.
        some = {labels[0], labels[len(labels) // 2], labels[-1]} if labels else set()
        try:
            return all((read_label(path, self.label_ids()) == IGNORE_INDEX).all() for path in some)
        except DataError:  # whoever needs that mask is told
            return False

    def _keyed(self, folder: Path, kind: str) -> Iterator[tuple[FrameKey, Path]]:
        for city in sorted(folder.iterdir()) if folder.is_dir() else []:
            for stem, path in list_images(city).items():
                match = _NAME.fullmatch(stem)
                if match is not None and match["kind"] == kind:
                    yield FrameKey(match["video"], int(match["number"])), path
                elif kind == "leftImg8bit":
                    self._refuse(
                        DataError(f"{path} is not named <city>_<sequence>_<frame>_leftImg8bit; rename or remove it")
                    )
