"""Reading frames at the working size, and labels at their own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Size
from weclick.data.index import Frame
from weclick.errors import DataError
from weclick.images import ImageFile, check_same_size, read_label, resize_image
from weclick.inference.rules import trained_size

cv2.setNumThreads(0)  # loader workers already use all cores; OpenCV's threads in each of them would compete


@dataclass(frozen=True)
class OpenFrame:
    """A frame that was read but not decoded.

    Args:
        file: Its image file.
        size: Its working size (H, W).
    """

    file: ImageFile
    size: Size

    @property
    def source(self) -> Size:
        """Its own size (H, W)."""
        return self.file.size

    def image(self, rows: int | None = None) -> NDArray[np.uint8]:
        """Return it as RGB uint8 (H, W, 3) at the working size, or at least the first rows of that.

        Raises:
            DataError: It is damaged.
        """
        return self.file.rgb(rows) if self.source == self.size else resize_image(self.file.rgb(), self.size)


@dataclass(frozen=True)
class FrameReader:
    """Reads frames at the working size and labels at their own.

    Frames keep their shape: each has its own working size, with as many pixels as ``size``
    (:func:`weclick.inference.rules.trained_size`).

    Args:
        size: Working size (H, W) of frames of this shape.
        table: Maps stored label values to class ids; see ``Layout.label_ids``.
    """

    size: Size
    table: NDArray[np.int16] | None = None

    def open(self, frame: Frame) -> OpenFrame:
        """Read a frame's file; its sizes are known, and pixels are decoded when they are asked for.

        Raises:
            DataError: It cannot be read.
        """
        file = ImageFile(frame.image)
        return OpenFrame(file, self.working_size(file.size))

    def working_size(self, source: Size) -> Size:
        """Return the working size (H, W) of a frame of a size."""
        return trained_size(source, self.size)

    def image(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame as RGB uint8 (H, W, 3) at its working size.

        Raises:
            DataError: It cannot be read.
        """
        return self.open(frame).image()

    def label(self, frame: Frame, source: Size | None = None) -> NDArray[np.uint8]:
        """Return the frame's label, class ids uint8 (H, W), at its own size.

        Args:
            frame: A frame with a mask.
            source: Size (H, W) of the frame's image, if it is to be compared.

        Raises:
            DataError: The frame has no mask, or it cannot be read, or its size is not the image's.
        """
        if frame.label is None:
            raise DataError(f"frame {frame.key} has no mask")
        label = read_label(frame.label, self.table)
        if source is not None:
            check_same_size(source, label.shape, frame.image, frame.label)
        return label

    def labelled(self, frame: Frame) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image at its working size, and the label at its own.

        Raises:
            DataError: One of them cannot be read, or their sizes differ.
        """
        opened = self.open(frame)
        return opened.image(), self.label(frame, opened.source)
