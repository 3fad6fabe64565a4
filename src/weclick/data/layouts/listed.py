"""What the layouts of this package share: a data set is listed once, when its frames are first needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from weclick.classes import ClassSet
from weclick.data.index import SPLITS, Frame, Refuse, Split, refuse
from weclick.errors import DataError


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
