"""What masks hold, and messages about masks from which little or nothing can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.data.decode import Progress
from weclick.data.index import Layout
from weclick.errors import DataError
from weclick.images import read_label
from weclick.machine import usable_cores


@dataclass
class MaskContent:
    """What some masks hold.

    Args:
        classes: The data set's classes.
        pixels: Number of pixels of each class, those of void (255) last.
        masks: Number of masks.
        void: Masks with nothing but void.
    """

    classes: ClassSet
    pixels: NDArray[np.int64]
    masks: int = 0
    void: list[Path] = field(default_factory=list)

    @classmethod
    def none(cls, classes: ClassSet) -> MaskContent:
        """Return the content of no masks."""
        return cls(classes, np.zeros(len(classes) + 1, np.int64))

    def add(self, path: Path, pixels: NDArray[np.int64]) -> None:
        """Add a mask by its number of pixels of each class; see :func:`count_pixels`."""
        self.pixels += pixels
        self.masks += 1
        if not pixels[:-1].any():
            self.void.append(path)

    def void_message(self) -> str | None:
        """Return a message about masks with nothing but void; None without such."""
        if not self.void:
            return None
        return (
            f"{len(self.void)} of {self.masks} masks are void ({IGNORE_INDEX}) everywhere, so nothing is learned or measured "
            f"from them: {self.void[0]}" + (", ..." if len(self.void) > 1 else "")
        )

    def single_class_message(self) -> str | None:
        """Return a message about masks that tell no two classes apart; None if they do, or if there is no second class."""
        found = [name for name, count in zip(self.classes.names, self.pixels, strict=False) if count]
        if not self.masks or len(self.classes) < 2 or len(found) > 1:
            return None
        if not found:
            return f"all {self.masks} masks are void ({IGNORE_INDEX}) everywhere; they must hold class ids, from 0"
        remedy = (
            f"{IGNORE_INDEX} is void and no class; write 1 for {self.classes.names[1]}"
            if self.pixels[-1]
            else "they must hold class ids, from 0"
        )
        return f"all {self.masks} masks hold {found[0]} and no other class: {remedy}"


def count_pixels(label: NDArray[np.uint8], classes: ClassSet) -> NDArray[np.int64]:
    """Return the number of pixels of each class in a mask, those of void last, (C + 1,)."""
    counts = np.bincount(label.ravel(), minlength=IGNORE_INDEX + 1)
    return np.append(counts[: len(classes)], counts[IGNORE_INDEX])


def read_masks(layout: Layout, paths: Sequence[Path], progress: Progress | None = None) -> MaskContent:
    """Read masks and return what they hold; damaged ones are left out.

    Args:
        layout: Their data set.
        paths: Their files.
        progress: Called with (masks read, masks to read).
    """

    def pixels(path: Path) -> NDArray[np.int64] | None:
        try:
            return count_pixels(read_label(path, layout.label_ids()), layout.classes)
        except DataError:
            return None

    content = MaskContent.none(layout.classes)
    with ThreadPoolExecutor(usable_cores()) as pool:  # decoding releases the interpreter's lock
        for done, (path, counts) in enumerate(zip(paths, pool.map(pixels, paths), strict=True), start=1):
            if counts is not None:
                content.add(path, counts)
            if progress is not None:
                progress(done, len(paths))
    return content
