"""Reading frames at the working size, and labels at their own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Size
from weclick.data.index import Frame
from weclick.errors import DataError
from weclick.images import check_same_size, read_image, read_label, read_top, resize_image

cv2.setNumThreads(0)  # loader workers already use all cores; OpenCV's threads in each of them would compete


@dataclass(frozen=True)
class FrameReader:
    """Reads frames at the working size and labels at their own.

    Args:
        size: Working size (H, W).
        table: Maps stored label values to class ids; see ``Layout.label_ids``.
    """

    size: Size
    table: NDArray[np.int16] | None = None

    def image(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame as RGB uint8 (H, W, 3) at the working size.

        Raises:
            DataError: It cannot be read.
        """
        return resize_image(read_image(frame.image), self.size)

    def top(self, frame: Frame, rows: int) -> tuple[NDArray[np.uint8], Size]:
        """Return at least the first rows of :meth:`image`, and the frame's own size (H, W).

        Raises:
            DataError: It cannot be read.
        """
        image, size = read_top(frame.image, rows, self.size)
        return (image if size == self.size else resize_image(image, self.size)), size

    def label(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame's label, class ids uint8 (H, W), at its own size.

        Raises:
            DataError: The frame has no mask, or it cannot be read.
        """
        if frame.label is None:
            raise DataError(f"frame {frame.key} has no mask")
        return read_label(frame.label, self.table)

    def labelled(self, frame: Frame, rows: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image at the working size, at least its first rows or all, and the label at its own.

        Raises:
            DataError: One of them cannot be read, or their sizes differ.
        """
        image, size = self.top(frame, self.size[0] if rows is None else rows)
        label = self.label(frame)
        check_same_size(size, label.shape, frame.image, frame.label or frame.image)
        return image, label
