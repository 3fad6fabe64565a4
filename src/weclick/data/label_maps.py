"""Label maps on disk, one per target: made before a training, and read in every draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from weclick.clicks.grow import grown_size
from weclick.conventions import IGNORE_INDEX, FrameKey, Size
from weclick.data.index import Clip
from weclick.data.supply import Batch, Sample, Supply
from weclick.errors import DataError, RunError
from weclick.files import write_bytes
from weclick.images import read_label
from weclick.memory.store import item_path
from weclick.ragged import map_by_shape


@dataclass(frozen=True)
class LabelMaps:
    """A folder of label maps, PNG uint8 of class ids and ``IGNORE_INDEX``, at the :func:`~weclick.clicks.grow.grown_size`.

    Args:
        folder: Where the files are.
    """

    folder: Path

    def path(self, key: FrameKey) -> Path:
        """Return where the labels of a target lie."""
        return item_path(self.folder, key, ".png")

    def write(self, key: FrameKey, labels: NDArray[np.uint8]) -> None:
        """Store the labels of a target, atomically."""
        write_bytes(self.path(key), cv2.imencode(".png", labels)[1].tobytes())

    def read(self, key: FrameKey, size: Size) -> NDArray[np.uint8]:
        """Return the labels (h, w) of a target.

        Args:
            key: The target.
            size: Its working size (H, W).

        Raises:
            RunError: The file is damaged, missing or of another size.
        """
        advice = "delete the file and resume the run"
        try:
            labels = np.asarray(read_label(self.path(key), None))
        except (DataError, OSError) as error:
            raise RunError(f"label map {self.path(key)} cannot be read; {advice}") from error
        if labels.shape != grown_size(size):
            raise RunError(f"label map {self.path(key)} has the size {labels.shape}, not {grown_size(size)}; {advice}")
        return labels


@dataclass(frozen=True)
class StoredLabels(Supply):
    """Adds an entry of int64 (B, h/4, w/4): the stored labels, ``IGNORE_INDEX`` on targets that have none.

    Args:
        maps: The labels.
        targets: Targets that have one.
    """

    maps: LabelMaps
    targets: frozenset[FrameKey]

    def read(self, clip: Clip, size: Size) -> Sample:
        """Return the target's label map.

        Raises:
            RunError: It is damaged.
        """
        if clip.target.key not in self.targets:
            return {self.adds: torch.full(grown_size(size), IGNORE_INDEX, dtype=torch.uint8)}
        return {self.adds: torch.from_numpy(self.maps.read(clip.target.key, size))}

    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Draw the labels like the images, at stride 4, by the nearest pixel."""

        def draw(positions: list[int], maps: Tensor) -> Tensor:
            labels = maps[:, None].to(grid.dtype) - IGNORE_INDEX  # what lies outside is sampled as 0
            drawn = F.grid_sample(labels, grid[positions], mode="nearest", padding_mode="zeros", align_corners=False)
            return (drawn[:, 0] + IGNORE_INDEX).long()

        batch[self.adds] = torch.stack(map_by_shape(draw, batch.pop(self.adds)))


class GrownLabels(StoredLabels):
    """Adds ``grown``, the labels grown around clicks."""

    adds: ClassVar[str] = "grown"


class AcceptedLabels(StoredLabels):
    """Adds ``accepted``, the accepted labels where they are sure."""

    adds: ClassVar[str] = "accepted"
