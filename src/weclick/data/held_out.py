"""Held-out clicks as labels: a frame is labelled at its clicked pixels, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from weclick.classes import ClassSet
from weclick.clicks import Click
from weclick.conventions import IGNORE_INDEX, FrameKey, Size
from weclick.data.damage import refuse_other_picture
from weclick.data.index import Frame, Layout, Split
from weclick.images import ImageFile


@dataclass(frozen=True)
class ClickLabel:
    """Clicks of a frame in place of its mask file; it is read like one (:class:`weclick.data.index.Frame`).

    Args:
        image: The frame's image.
        clicks: Its clicks.
        clicked: Size (H, W) of the image that was clicked, if it is known.
    """

    image: Path
    clicks: tuple[Click, ...]
    clicked: Size | None = None

    def read_bytes(self) -> bytes:
        """Return the label of the image's size, as PNG.

        Raises:
            DataError: The image is damaged, or is not the one that was clicked.
        """
        size = ImageFile(self.image).size
        refuse_other_picture(self.image, size, self.clicks, self.clicked)
        label = np.full(size, IGNORE_INDEX, np.uint8)
        for click in self.clicks:
            x, y = click.pixel
            label[y, x] = click.class_id
        return cv2.imencode(".png", label)[1].tobytes()

    def __str__(self) -> str:
        return f"clicks of {self.image}"


class HeldOutLabels:
    """A layout whose training frames have their held-out clicks as labels; it has no other labels.

    Args:
        layout: A layout without masks.
        clicks: Held-out clicks by frame.
        sizes: (H, W) of the image that each frame was clicked on, where it is known.
    """

    name = "held-out clicks"

    def __init__(
        self, layout: Layout, clicks: Mapping[FrameKey, Sequence[Click]], sizes: Mapping[FrameKey, Size]
    ) -> None:
        self.root, self._layout, self._clicks, self._sizes = layout.root, layout, clicks, sizes

    @property
    def classes(self) -> ClassSet:
        """The data set's classes."""
        return self._layout.classes

    def splits(self) -> tuple[Split, ...]:
        """The layout's own splits."""
        return self._layout.splits()

    def frames(self, split: Split) -> Sequence[Frame]:
        """All frames of a split, those of ``train`` with labels where clicks are held out."""
        return self._train if split == "train" else self._layout.frames(split)

    def label_ids(self) -> None:
        """Clicks hold class ids as they are."""

    @cached_property
    def _train(self) -> list[Frame]:
        return [self._labelled(frame) for frame in self._layout.frames("train")]

    def _labelled(self, frame: Frame) -> Frame:
        clicks = self._clicks.get(frame.key)
        if not clicks:
            return frame
        label = ClickLabel(frame.image, tuple(clicks), self._sizes.get(frame.key))
        return replace(frame, label=cast(Path, label))
