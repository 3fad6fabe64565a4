"""Reading frames and labels at the sizes they are used at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Size
from weclick.data.index import Frame
from weclick.errors import DataError
from weclick.images import check_same_size, read_image, read_label, resize_image

cv2.setNumThreads(0)  # workers are the parallelism; OpenCV's own threads in each of them only get in the way


@dataclass(frozen=True)
class FrameReader:
    """Reads frames at the working size and labels at their own.

    Args:
        size: Working size (H, W).
        table: From stored label values to class ids, see ``Layout.label_ids``.
    """

    size: Size
    table: NDArray[np.int16] | None = None

    def image(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame as RGB uint8 (H, W, 3) at the working size."""
        return resize_image(read_image(frame.image), self.size)

    def label(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame's label at its own size."""
        if frame.label is None:
            raise DataError(f"frame {frame.key} has no mask")
        return read_label(frame.label, self.table)

    def labelled(self, frame: Frame) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image at the working size and label at its own, refusing a pair of different sizes."""
        image, label = read_image(frame.image), self.label(frame)
        check_same_size(image, label, frame.image, frame.label or frame.image)
        return resize_image(image, self.size), label
