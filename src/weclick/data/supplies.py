"""The supplies: soft labels from a stored memory or from a teacher in memory, and pairs of neighbouring frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import Size
from weclick.data.index import Clip
from weclick.data.reader import FrameReader
from weclick.data.supply import Batch, Sample, Supply, join_lines, to_tensor
from weclick.errors import DataError, RunError
from weclick.flow.estimators import FlowEstimator
from weclick.flow.warp import resize_flow, warp_to_target
from weclick.losses.temporal import visibility
from weclick.memory.draws import follow_draw
from weclick.memory.fuse import Memory
from weclick.memory.item import dequantise
from weclick.memory.online import SoftLabels, Teacher, online_memory
from weclick.memory.options import PLAIN, Fusion
from weclick.memory.restrict import restrict
from weclick.memory.store import MemoryStore
from weclick.ragged import Maps, map_by_shape


@dataclass(frozen=True)
class StoredMemory(Supply):
    """Adds ``soft_labels``, read from a memory store; needs neither teacher nor flow.

    Args:
        store: A finished memory.
        restricted: Keep only classes that were clicked on the target.
    """

    adds: ClassVar[str] = "soft_labels"
    labels_unlabelled: ClassVar[bool] = True

    store: MemoryStore
    restricted: bool = False

    def read(self, clip: Clip, size: Size) -> Sample:
        """Return the stored arrays of the clip's target as one tensor, ``item`` uint8 (2C + 1, h, w).

        Raises:
            RunError: The stored item is missing, damaged or of another shape than the frame.
        """
        item = np.concatenate(self.store.read(clip.target.key))
        (height, width), grid = size, item.shape[1:]
        if abs(grid[0] * width - grid[1] * height) > max(size):  # a grid ends with a whole cell
            raise RunError(
                f"memory item {self.store.path(clip.target.key)} is of another shape than its frame ({grid[0]} x {grid[1]} cells "
                f"for {height} x {width} pixels); delete it and resume the run, which builds it again"
            )
        return {"item": torch.from_numpy(item)}

    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Decode the arrays and transform them like the drawn images."""

        def decoded(positions: list[int], items: Tensor) -> SoftLabels:
            return dequantise(*_parts(items))

        _add_soft_labels(batch, batch.pop("item"), decoded, grid, self.restricted)


@dataclass(frozen=True)
class OnlineMemory(Supply):
    """Adds ``soft_labels``, computed in every step by the frozen teacher and the flow estimator.

    Args:
        teacher: Frozen network, RGB images (B, 3, H, W) in 0..1 to logits.
        flow: Estimates the flow from targets to neighbours.
        reader: Reads frames at the working size.
        neighbours: Number of neighbours of a clip; clips with fewer are padded.
        fusion: How the neighbours' predictions are weighted.
        restricted: Keep only classes that were clicked on the target.
    """

    adds: ClassVar[str] = "soft_labels"
    labels_unlabelled: ClassVar[bool] = True
    reads_neighbours: ClassVar[bool] = True

    teacher: Teacher
    flow: FlowEstimator
    reader: FrameReader
    neighbours: int
    fusion: Fusion = PLAIN
    restricted: bool = False

    def read(self, clip: Clip, size: Size) -> Sample:
        """Return undrawn frames: ``target`` (3, H, W), ``neighbours`` (N, 3, H, W) uint8, ``offsets`` (N,).

        Neighbours that are missing, damaged or of another size are padding: black, with offset 0; ``damaged`` has a line
        for each damaged one.

        Raises:
            DataError: The target cannot be read.
        """
        target = self.reader.image(clip.target)
        neighbours = np.zeros((self.neighbours, *target.shape), np.uint8)
        offsets, damaged = np.zeros(self.neighbours, np.int64), []
        for position, (frame, offset) in enumerate(zip(clip.neighbours, clip.offsets, strict=True)):
            try:
                image = self.reader.image(frame)
            except DataError as error:
                damaged.append(str(error))
                continue
            if image.shape == target.shape:
                neighbours[position], offsets[position] = image, offset
        return {
            "target": to_tensor(target),
            "neighbours": torch.from_numpy(neighbours.transpose(0, 3, 1, 2).copy()),
            "offsets": torch.from_numpy(offsets),
            "damaged": join_lines(*damaged),
        }

    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Run teacher and flow on the undrawn clips, and transform the result like the drawn images."""
        neighbours, offsets = batch.pop("neighbours"), batch.pop("offsets")

        def computed(positions: list[int], targets: Tensor) -> SoftLabels:
            others = torch.stack([neighbours[position] for position in positions]).float() / 255
            return online_memory(
                self.teacher, self.flow, targets.float() / 255, others, offsets[positions], self.fusion
            )

        _add_soft_labels(batch, batch.pop("target"), computed, grid, self.restricted)


def _add_soft_labels(
    batch: Batch,
    maps: Maps,
    make: Callable[[list[int], Tensor], SoftLabels],
    grid: Tensor,
    restricted: bool,
) -> None:
    """Add the soft labels that are made from maps of the undrawn targets, drawn like the images."""

    def drawn(positions: list[int], alike: Tensor) -> Tensor:
        soft = make(positions, alike)
        if restricted:
            soft = restrict(soft, batch["present"][positions])
        soft = follow_draw(soft, grid[positions])
        return torch.cat([soft.teacher, *soft.memory], 1)

    teacher, probabilities, confidence = _parts(torch.stack(map_by_shape(drawn, maps)))
    batch["soft_labels"] = SoftLabels(teacher, Memory(probabilities, confidence))


def _parts(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return teacher (B, C, h, w), memory (B, C, h, w) and confidence (B, 1, h, w) of maps (B, 2C + 1, h, w)."""
    classes = maps.shape[1] // 2
    return maps[:, :classes], maps[:, classes : 2 * classes], maps[:, 2 * classes :]


@dataclass(frozen=True)
class PlainView(Supply):
    """Adds ``plain``: the drawn images before their colours are augmented."""

    adds: ClassVar[str] = "plain"
    labels_unlabelled: ClassVar[bool] = True

    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Keep the images, in whose place the augmented ones will come."""
        batch["plain"] = batch["image"]


class Pair(NamedTuple):
    """The neighbours of a batch of targets, drawn alike, and the flow from targets to neighbours.

    Shape:
        image: neighbours (B, 3, h, w) in 0..1; flow: (B, 2, h/4, w/4), on the drawn target's grid at stride 4 and in its
        pixels; visible: (B, 1, h/4, w/4) in 0..1, 0 outside of the neighbour and in the draw's border; valid: bool (B,),
        False where a target has no neighbour, and ``image`` holds the target itself.
    """

    image: Tensor
    flow: Tensor
    visible: Tensor
    valid: Tensor


@dataclass(frozen=True)
class NeighbourPairs(Supply):
    """Adds ``pair``: each target's nearest neighbour under the same draw; a neighbour's mask is never opened.

    Args:
        flow: Estimates the flow from drawn targets to drawn neighbours.
        reader: Reads frames at the working size.
    """

    adds: ClassVar[str] = "pair"
    reads_neighbours: ClassVar[bool] = True
    pairs: ClassVar[bool] = True

    flow: FlowEstimator
    reader: FrameReader

    def neighbour(self, clip: Clip, size: Size, rows: int) -> NDArray[np.uint8] | None:
        """Return at least these rows of the nearest neighbour at its working size, or None where there is none of this size."""
        if not clip.neighbours:
            return None
        frame = self.reader.open(clip.neighbours[0])
        return frame.image(rows) if frame.size == size else None

    @torch.no_grad()
    def complete(self, batch: Batch, grid: Tensor) -> None:
        """Estimate the flow from targets to neighbours, and where both show the same surface."""
        target, inside = batch["image"], batch["inside"]
        neighbour, valid = batch.pop("neighbour").float() / 255, batch.pop("paired")
        flow = target.new_zeros(len(target), 2, *target.shape[-2:])
        if valid.any():  # flow networks do not take an empty batch
            flow[valid] = self.flow(target[valid], neighbour[valid])
        warped, in_neighbour = warp_to_target(neighbour, flow)
        size = (inside.shape[-2], inside.shape[-1])
        visible = F.adaptive_avg_pool2d(visibility(target, warped) * in_neighbour, size) * inside
        batch["pair"] = Pair(neighbour, resize_flow(flow, size), visible, valid)
