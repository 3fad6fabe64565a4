"""Batches of evaluation frames, and a training loader that resumes in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from weclick.data.sampler import SeededSampler
from weclick.data.supply import Sample


class ResumableLoader(DataLoader[Sample]):
    """Counts the batches of an epoch, and after a resume continues with the next one.

    The sampler skips the samples of earlier batches, so they are not read again. Lightning saves and restores the state of
    every loader that has ``state_dict`` and ``load_state_dict``.

    Args:
        dataset: Training samples.
        sampler: Their order.
        options: Any other options of DataLoader.
    """

    def __init__(self, dataset: Dataset[Sample], sampler: SeededSampler, **options: Any) -> None:  # noqa: ANN401
        super().__init__(dataset, sampler=sampler, **options)
        self._order = sampler
        self._yielded = 0
        self._resumed = 0

    def __iter__(self) -> Iterator[Sample]:  # type: ignore[override]
        """Yield the epoch's batches."""
        # a generator, because Lightning sets the sampler's epoch after it calls iter(), but before the first batch
        self._yielded, self._resumed = self._resumed, 0
        self._order.skip = self._yielded * (self.batch_size or 1)
        for batch in super().__iter__():
            self._yielded += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return how many batches of this epoch were yielded."""
        return {"batches": self._yielded}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Skip this number of batches in the next pass."""
        self._resumed = state["batches"]


def collate(samples: list[Sample]) -> Sample:
    """Collate training samples as PyTorch does, except that tensors of several shapes stay a list (:mod:`weclick.ragged`)."""
    return {name: _collate_alike([sample[name] for sample in samples]) for name in samples[0]}


def collate_frames(samples: list[Sample]) -> Sample:
    """Collate frames to evaluate on likewise; labels stay a list, as each has its own size."""
    images = _collate_alike([sample["image"] for sample in samples])
    return {"image": images, "label": [s["label"] for s in samples], "key": [s["key"] for s in samples]}


def _collate_alike(values: list[Any]) -> Any:  # noqa: ANN401 - whatever is in a sample
    shapes = {value.shape for value in values if isinstance(value, Tensor)}
    return values if len(shapes) > 1 else default_collate(values)
