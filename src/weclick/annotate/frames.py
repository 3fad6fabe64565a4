"""The frames of a data set as requests name them, and which of their pictures cannot be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator

from starlette.exceptions import HTTPException

from weclick.annotate.catalog import Catalog, Entry
from weclick.annotate.pictures import Pictures, Version
from weclick.conventions import FrameKey, Size
from weclick.errors import DataError

_log = logging.getLogger(__name__)


class Frames:
    """Finds frames by id, and the size and version of their pictures.

    Args:
        catalog: The frames.
        pictures: Their pictures.
    """

    def __init__(self, catalog: Catalog, pictures: Pictures) -> None:
        self.catalog, self.pictures = catalog, pictures
        self._unreadable: set[FrameKey] = set()

    @property
    def unreadable(self) -> tuple[FrameKey, ...]:
        """Frames whose picture could not be read when it was last tried; a copy, which another thread may read."""
        return tuple(self._unreadable)

    def entry(self, name: str) -> Entry:
        """Return the frame with an id.

        Raises:
            HTTPException: There is none.
        """
        entry = self.catalog.entry(name)
        if entry is None:
            raise HTTPException(404, "there is no frame with this id")
        return entry

    async def size(self, entry: Entry) -> Size:
        """Return the size (H, W) of a frame's picture.

        Raises:
            DataError: It cannot be read.
        """
        key = entry.frame.key
        try:
            size = await asyncio.to_thread(self.pictures.size, entry.frame.image)
        except DataError as error:
            if key not in self._unreadable:
                _log.warning("frame %s cannot be shown: %s", key, error)
            self._unreadable.add(key)
            raise
        self._unreadable.discard(key)
        return size

    async def version(self, entry: Entry) -> Version:
        """Return the version of a frame's picture.

        Raises:
            DataError: There is none.
        """
        return await asyncio.to_thread(self.pictures.locate, entry.frame.image)

    def readable_first(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield frames that could not be read earlier last; they may have been restored since."""
        later = []
        for entry in entries:
            if entry.frame.key in self._unreadable:
                later.append(entry)
            else:
                yield entry
        yield from later
