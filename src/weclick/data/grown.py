"""Grown clicks on disk: one label map per target, made before a training and read in every draw."""

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
from torch.utils.data import Dataset

from weclick.clicks.grow import grow
from weclick.conventions import IGNORE_INDEX, FrameKey, Size
from weclick.data.damage import refuse_other_picture
from weclick.data.index import Clip
from weclick.data.reader import FrameReader
from weclick.data.supply import Batch, Sample, Supply
from weclick.data.targets import TargetClicks
from weclick.errors import DataError, RunError
from weclick.files import write_bytes
from weclick.images import read_label
from weclick.memory.store import item_path


@dataclass(frozen=True)
class GrownStore:
    """A folder of label maps, PNG uint8 (h, w) of class ids and ``IGNORE_INDEX``.

    Args:
        folder: Where the files are.
        size: Size (h, w) of all maps.
    """

    folder: Path
    size: Size

    def path(self, key: FrameKey) -> Path:
        """Return where the labels of a target lie."""
        return item_path(self.folder, key, ".png")

    def write(self, key: FrameKey, labels: NDArray[np.uint8]) -> None:
        """Store the labels of a target, atomically."""
        write_bytes(self.path(key), cv2.imencode(".png", labels)[1].tobytes())

    def read(self, key: FrameKey) -> NDArray[np.uint8]:
        """Return the labels of a target.

        Raises:
            RunError: The file is damaged, missing or of another size.
        """
        advice = "delete the file and resume the run"
        try:
            labels = np.asarray(read_label(self.path(key), None))
        except (DataError, OSError) as error:
            raise RunError(f"grown clicks {self.path(key)} cannot be read; {advice}") from error
        if labels.shape != self.size:
            raise RunError(f"grown clicks {self.path(key)} have the size {labels.shape}, not {self.size}; {advice}")
        return labels


class GrowingClicks(Dataset[Sample]):
    """Targets whose clicks are to be grown. A sample holds ``key``, and ``labels`` uint8 (h, w) or ``damaged``, a message.

    Args:
        clips: The targets' clips.
        clicks: Their clicks.
        reader: Reads frames at the working size.
        share: See :func:`weclick.clicks.grow.grow`.
    """

    def __init__(self, clips: list[Clip], clicks: TargetClicks, reader: FrameReader, share: float) -> None:
        self.clips, self.clicks, self.reader, self.share = clips, clicks, reader, share

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        frame = self.clips[index].target
        clicks = self.clicks.clicks[frame.key]
        try:
            image, source = self.reader.top(frame, self.reader.size[0])
            refuse_other_picture(frame.image, source, clicks, self.clicks.sizes.get(frame.key))
        except DataError as error:
            return {"key": frame.key, "damaged": str(error)}
        return {"key": frame.key, "labels": grow(image, clicks, source, self.share)}


@dataclass(frozen=True)
class GrownLabels(Supply):
    """Adds ``grown``, int64 (B, h/4, w/4): the labels grown around clicks, ``IGNORE_INDEX`` on targets that have none.

    Args:
        store: The labels.
        targets: Targets that have one.
    """

    adds: ClassVar[str] = "grown"

    store: GrownStore
    targets: frozenset[FrameKey]

    def read(self, clip: Clip) -> Sample:
        """Return the target's label map.

        Raises:
            RunError: It is damaged.
        """
        if clip.target.key not in self.targets:
            return {"grown": torch.full(self.store.size, IGNORE_INDEX, dtype=torch.uint8)}
        return {"grown": torch.from_numpy(self.store.read(clip.target.key))}

    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Draw the labels like the images, at stride 4, by the nearest pixel."""
        labels = batch.pop("grown")[:, None].to(grid.dtype) - IGNORE_INDEX  # what lies outside is sampled as 0
        drawn = F.grid_sample(labels, grid, mode="nearest", padding_mode="zeros", align_corners=False)
        batch["grown"] = (drawn[:, 0] + IGNORE_INDEX).long()
