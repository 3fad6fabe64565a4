"""Which samples come in which order, decided by seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from itertools import islice
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler
from torch.utils.data.distributed import DistributedSampler

from weclick.data.index import Frame
from weclick.errors import DataError


class SampleKey(NamedTuple):
    """Which sample to load, and the seed of its draw."""

    position: int
    seed: int


class SeededSampler(Sampler[SampleKey]):
    """Shuffles anew each epoch and gives every sample a seed of its own.

    Order and draws follow from (seed, epoch, index), so they are the same with any number of workers, and the same
    after a resume. Lightning calls :meth:`set_epoch`. Shares the samples out over processes.

    Attributes:
        skip: How many samples of this process's share the next pass leaves out at its start.
    """

    def __init__(self, dataset: Sized, *, seed: int, replicas: int = 1, rank: int = 0) -> None:
        self._order: DistributedSampler[int] = DistributedSampler(
            dataset,  # type: ignore[arg-type]
            num_replicas=replicas,
            rank=rank,
            shuffle=True,
            seed=seed,
        )
        self._seed = seed
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order and draws come next."""
        self._order.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[SampleKey]:
        for index in islice(self._order, self.skip, None):
            yield SampleKey(index, sample_seed(self._seed, self._order.epoch, index))


def own_share(frames: Sequence[Frame], replicas: int, rank: int, where: str) -> Sequence[Frame]:
    """Return a process's share of frames to evaluate, each exactly once over all: padding would count some twice.

    Raises:
        DataError: There are fewer frames than processes; ``where`` is whose frames they are.
    """
    if replicas > len(frames):
        raise DataError(
            f"{where} has {len(frames)} frames with masks, too few for {replicas} processes; label more, or use fewer "
            "(trainer.devices)"
        )
    return frames[rank::replicas]


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """Return a 32-bit seed for one sample of one epoch."""
    return int(np.random.SeedSequence((seed, epoch, index)).generate_state(1)[0])
