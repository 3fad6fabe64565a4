"""A data set: opened and listed once, then shared by everything that reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache, cached_property
from itertools import chain, islice
from pathlib import Path

import numpy as np

from weclick.classes import ClassSet
from weclick.conventions import FrameKey, Size
from weclick.data.index import Clip, Frame, Layout, Segment, Split, clips, segments
from weclick.data.layouts import open_layout
from weclick.data.options import ClipOptions
from weclick.data.reader import FrameReader
from weclick.extensions import Part
from weclick.images import first_size


class DataSet:
    """Frames, clips and classes of a data set, at one working size.

    Args:
        layout: An opened layout; its frames are listed once, at the first use.
        size: Working size (H, W) of frames of this shape; others get as many pixels. By default that of the first readable one
            of the first ten frames.
    """

    def __init__(self, layout: Layout, size: Size | None = None) -> None:
        self.layout = layout
        self._size = size
        self.segments = cache(self._segments)  # per object: a cache on the class would keep every data set alive

    @classmethod
    def open(cls, root: Path | str, layout: Part = "auto", size: Size | None = None) -> DataSet:
        """Open the data set in a folder; see :func:`weclick.data.layouts.open_layout` for errors."""
        return cls(open_layout(layout, Path(root)), size)

    def at(self, size: Size | None) -> DataSet:
        """Return this data set at another working size, without listing its files again; None keeps the size."""
        return self if size in (None, self._size) else DataSet(self.layout, size)

    @property
    def root(self) -> Path:
        """Folder of the data set."""
        return self.layout.root

    @property
    def classes(self) -> ClassSet:
        """The data set's classes."""
        return self.layout.classes

    @cached_property
    def size(self) -> Size:
        """Working size (H, W)."""
        if self._size is not None:
            return (self._size[0], self._size[1])
        images = (frame.image for split in self.layout.splits() for frame in self.layout.frames(split))
        return first_size(islice(images, 10))

    @cached_property
    def reader(self) -> FrameReader:
        """Reads frames at the working size."""
        table = self.layout.label_ids()
        return FrameReader(self.size, None if table is None else np.asarray(table, np.int16))

    def _segments(self, split: Split, without: frozenset[FrameKey] = frozenset()) -> list[Segment]:
        """Return the split's unbroken sequences of frames, with no gap and no frame of another split or of ``without`` inside."""
        others = (other for other in self.layout.splits() if other != split)
        borders = (frame.key for other in others for frame in self.layout.frames(other))
        frames = [frame for frame in self.layout.frames(split) if frame.key not in without]
        return segments(frames, chain(borders, without))

    def labelled(self, split: Split) -> list[Frame]:
        """Return the split's frames that have a mask."""
        return [frame for segment in self.segments(split) for frame in segment.frames if frame.label is not None]

    @property
    def evaluation_split(self) -> Split:
        """``test`` when it has labels, else ``val``."""
        return "test" if self.labelled("test") else "val"

    def clips(
        self, split: Split, targets: Iterable[FrameKey], options: ClipOptions, without: Collection[FrameKey] = ()
    ) -> list[Clip]:
        """Return the clips of these target frames, with neighbours as the options choose them; none reaches ``without``."""
        return clips(
            self.segments(split, frozenset(without)) if without else self.segments(split),
            targets,
            neighbours=options.neighbours,
            stride=options.stride,
            sides=options.sides,
        )
