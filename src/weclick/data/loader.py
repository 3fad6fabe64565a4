"""From samples to batches; and a training loader that can go on in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from weclick.data.sampler import SeededSampler
from weclick.data.supply import Sample
from weclick.machine import usable_cores


class ResumableLoader(DataLoader[Sample]):
    """Knows how many batches of the epoch it has given out, and after a resume goes on behind them.

    What was seen is never read again: the sampler leaves it out. Lightning saves and restores any loader that has
    ``state_dict`` and ``load_state_dict``.

    Args:
        dataset: Training samples.
        sampler: Their order.
        options: Any other options of DataLoader.
    """

    def __init__(self, dataset: Dataset[Sample], sampler: SeededSampler, **options: Any) -> None:  # noqa: ANN401
        super().__init__(dataset, sampler=sampler, **options)
        self._order = sampler
        self._given = 0
        self._resumed = 0

    def __iter__(self) -> Iterator[Sample]:  # type: ignore[override]
        """Yield the epoch's batches; nothing starts before the first is asked for, when the sampler knows its epoch."""
        self._given, self._resumed = self._resumed, 0
        self._order.skip = self._given * (self.batch_size or 1)
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return how many batches of this epoch were given out."""
        return {"batches": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Leave so many batches out of the next pass."""
        self._resumed = state["batches"]


def collate_frames(samples: list[Sample]) -> Sample:
    """Stack images; labels, of which each has its own size, stay a list."""
    images: Tensor = default_collate([sample["image"] for sample in samples])
    return {"image": images, "label": [s["label"] for s in samples], "key": [s["key"] for s in samples]}


def default_workers(processes: int = 1) -> int:
    """Return half the CPU cores that each of some processes of a training may use, 1 to 8."""
    return min(8, max(1, usable_cores() // (2 * processes)))
