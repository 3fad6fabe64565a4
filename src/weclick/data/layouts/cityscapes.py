"""The official Cityscapes tree, which weclick's synthetic data set uses too."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

from weclick.classes import ClassSet, SemanticClass
from weclick.conventions import IGNORE_INDEX
from weclick.data.index import SPLITS, Frame, FrameKey, Split
from weclick.data.layouts.listed import ListedLayout
from weclick.errors import DataError
from weclick.images import read_label
from weclick.listing import IMAGE_SUFFIXES, list_folders, list_images

_IMAGES: Final = ("leftImg8bit", "leftImg8bit_sequence")

STEM: Final = re.compile(
    r"(?P<video>.+_[0-9]+)_(?P<number>[0-9]+)_(?P<kind>leftImg8bit|gtFine_labelIds|gtFine_instanceIds)"
)
"""Stem of each file that is read."""

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


class CityscapesLayout(ListedLayout):
    """Cityscapes: ``leftImg8bit``, ``leftImg8bit_sequence``, ``gtFine``; images as PNG or JPEG.

    A video is ``<city>_<sequence>``; its frames are all images of that name, wherever the labelled one lies among them.
    Frames without a mask are unlabelled. The public test masks hold no class at all and count as none.
    """

    name = "cityscapes"
    needs = "leftImg8bit/ or leftImg8bit_sequence/"
    reads = MappingProxyType(dict.fromkeys((*_IMAGES, "gtFine"), IMAGE_SUFFIXES))
    companions = re.compile(r".+_gtFine_(color|polygons|labelTrainIds|instanceTrainIds|labelColors)\.\w+|Thumbs\.db")
    classes = CLASSES

    @classmethod
    def recognises(cls, root: Path) -> bool:
        """Return whether ``root`` looks like this layout."""
        return any((root / folder).is_dir() for folder in _IMAGES)

    def label_ids(self) -> Sequence[int]:
        """Official label ids to train ids; 34 and above are unknown."""
        official = [LABEL_IDS.index(value) if value in LABEL_IDS else IGNORE_INDEX for value in range(34)]
        return (*official, *[-1] * (256 - len(official)))

    def needs_file(self, path: Path) -> bool:
        """Return whether a file is of a listed frame: its copy in the other folder of images, or a mask without classes."""
        match = STEM.fullmatch(path.stem)
        return match is not None and FrameKey(match["video"], int(match["number"])) in self._keys

    @cached_property
    def _keys(self) -> set[FrameKey]:
        return {frame.key for split in SPLITS for frame in self.frames(split)}

    def _list(self) -> dict[Split, list[Frame]]:
        return {split: self._list_split(split) for split in SPLITS}

    def _list_split(self, split: Split) -> list[Frame]:
        # With both downloads, a labelled frame is in both folders; the one in leftImg8bit counts.
        images = self._files("leftImg8bit_sequence", split)["leftImg8bit"]
        images |= self._files("leftImg8bit", split)["leftImg8bit"]
        masks = self._files("gtFine", split)
        labels, instances = masks["gtFine_labelIds"], masks["gtFine_instanceIds"]
        for key, path in labels.items():
            if key not in images:
                self._refuse(DataError(f"{path} has no image in {' or '.join(_IMAGES)}/{split}; restore the image"))
        if split == "test" and self._are_void(list(labels.values())):
            labels = instances = {}
        return [Frame(key, images[key], labels.get(key), instances.get(key)) for key in sorted(images)]

    def _files(self, folder: str, split: Split) -> dict[str, dict[FrameKey, Path]]:
        """Return the files of ``folder`` by kind and frame; of gtFine, other kinds (colours, polygons) are not needed."""
        files: dict[str, dict[FrameKey, Path]] = {"leftImg8bit": {}, "gtFine_labelIds": {}, "gtFine_instanceIds": {}}
        is_image = folder in _IMAGES
        for city in list_folders(self.root / folder / split):
            for stem, path in list_images(city).items():
                match = STEM.fullmatch(stem)
                if match is not None and (match["kind"] == "leftImg8bit") == is_image:
                    # Interned: one string for all frames of a video takes less memory and is compared by identity.
                    key = FrameKey(sys.intern(match["video"]), int(match["number"]))
                    files[match["kind"]][key] = path
                elif is_image:
                    self._refuse(
                        DataError(f"{path} is not named <city>_<sequence>_<frame>_leftImg8bit; rename or remove it")
                    )
        return files

    def _are_void(self, labels: list[Path]) -> bool:
        """Return whether the masks hold no class, as the public ones of the test split; three stand for all 1525."""
        some = {labels[0], labels[len(labels) // 2], labels[-1]} if labels else set()
        try:
            return all((read_label(path, self.label_ids()) == IGNORE_INDEX).all() for path in some)
        except DataError:  # reported where that mask is needed
            return False
