"""Where a training batch gets its recall (teacher's view and memory) from: the store, or a teacher at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from weclick.data.index import Clip
from weclick.data.samples import RawClip, Sample
from weclick.flow.estimators import FlowEstimator
from weclick.memory import PLAIN, Fusion, Memory, MemoryStore, SoftLabels, online_memory, restrict
from weclick.memory.online import Teacher

Batch = dict[str, Any]


class MemorySource(Protocol):
    """Two halves of a recall: ``read`` runs in workers, the call on the device."""

    @property
    def read(self) -> Callable[[Clip], Sample]:
        """What a worker adds to the sample of a clip."""

    def __call__(self, batch: Batch) -> SoftLabels:
        """Return the recall of a batch on the undrawn target grid, in 0..1."""


def reads_neighbours(source: MemorySource | None) -> bool:
    """Tell whether a recall is made from neighbours anew for every batch."""
    return source is not None and isinstance(source.read, RawClip)


@dataclass(frozen=True)
class StoredItem:
    """Reads a target's item: uint8 ``teacher``, ``memory`` (C, h, w) and ``confidence`` (1, h, w)."""

    store: MemoryStore

    def __call__(self, clip: Clip) -> Sample:
        """Return the arrays of the clip's target as tensors."""
        return {name: torch.from_numpy(array) for name, array in self.store.read(clip.target.key)._asdict().items()}


class StoredMemory:
    """SoftLabels from the memory store; needs neither teacher nor flow."""

    def __init__(self, store: MemoryStore) -> None:
        self.read = StoredItem(store)

    def __call__(self, batch: Batch) -> SoftLabels:
        """Scale the stored bytes to 0..1."""
        teacher, memory, confidence = (batch.pop(name).float() / 255 for name in ("teacher", "memory", "confidence"))
        return SoftLabels(teacher, Memory(memory, confidence))


class OnlineMemory:
    """SoftLabels computed for every batch by the frozen teacher and the flow estimator."""

    def __init__(self, teacher: Teacher, flow: FlowEstimator, read: RawClip, fusion: Fusion = PLAIN) -> None:
        self.teacher, self.flow, self.read, self.fusion = teacher, flow, read, fusion

    def __call__(self, batch: Batch) -> SoftLabels:
        """Run teacher and flow on the raw clips of the batch."""
        target, neighbours = (batch.pop(name).float() / 255 for name in ("target", "neighbours"))
        return online_memory(self.teacher, self.flow, target, neighbours, batch.pop("offsets"), self.fusion)


class RestrictedMemory:
    """Another source's recall, restricted to the classes that were clicked on the target."""

    def __init__(self, source: MemorySource) -> None:
        self.source, self.read = source, source.read

    def __call__(self, batch: Batch) -> SoftLabels:
        """Return the recall of a batch."""
        return restrict(self.source(batch), batch["present"])
