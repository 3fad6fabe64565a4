"""What the layouts of this package share: a data set is listed once, when its frames are first needed."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from weclick.classes import ClassSet
from weclick.data.index import SPLITS, Frame, Refuse, Split, refuse
from weclick.errors import DataError
from weclick.listing import list_images


class ListedLayout(ABC):
    """Base of the shipped layouts; see :class:`weclick.data.index.Layout` for the protocol that it fulfils.

    Args:
        root: The data set.
        refuse: Error handler for every file that cannot be used; see :data:`weclick.data.index.Refuse`.

    Raises:
        DataError: ``root`` has not the folders of this layout.
    """

    name: ClassVar[str]
    needs: ClassVar[str]
    """The folders by which the layout is recognised, for messages."""
    reads: ClassVar[Mapping[str, Sequence[str]]]
    """Folders in the root, and the suffixes of the files that are read from each; other files there are reported as unused."""
    companions: ClassVar[re.Pattern[str]]
    """Names of the files that may lie there and are not needed."""
    classes: ClassSet

    def __init__(self, root: Path, refuse: Refuse = refuse) -> None:
        self.root = root
        self._refuse = refuse
        if not self.recognises(root):
            raise DataError(f"{root} is no data set of the {self.name} layout; looked for {self.needs}")

    @classmethod
    @abstractmethod
    def recognises(cls, root: Path) -> bool:
        """Return whether ``root`` looks like this layout."""

    @abstractmethod
    def label_ids(self) -> Sequence[int]:
        """Return the table of 256 entries from stored label value to class id."""

    def needs_file(self, path: Path) -> bool:
        """Return whether a file that no frame names is needed all the same."""
        return False

    def rates(self) -> Mapping[str, float]:
        """Return the frames per second, by time stamps, of the videos whose stamps are known."""
        return {}

    @abstractmethod
    def _list(self) -> Mapping[Split, Sequence[Frame]]:
        """List the frames of every split, ordered by video and number."""

    # Not in __init__, where a subclass has not read what it needs for it yet.
    @cached_property
    def _frames(self) -> Mapping[Split, Sequence[Frame]]:
        return self._list()

    def splits(self) -> tuple[Split, ...]:
        """Splits that have frames on disk."""
        return tuple(split for split in SPLITS if self._frames[split])

    def frames(self, split: Split) -> Sequence[Frame]:
        """All frames of a split, ordered by video and number.

        Raises:
            DataError: A mask has no image, a name has no frame number, or a split is wrong.
        """
        return self._frames[split]


def refuse_lossy_masks(folder: Path) -> None:
    """Refuse a folder of masks with JPEGs in it.

    Raises:
        DataError: There are some.
    """
    if lossy := list(list_images(folder, (".jpg", ".jpeg")).values()):
        raise DataError(
            f"{folder} holds {len(lossy)} masks as JPEG, such as {lossy[0].name}; JPEG changes class ids, so write the masks "
            "again, as PNG"
        )
