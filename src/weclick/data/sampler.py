"""The order of training samples, determined by seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler
from torch.utils.data.distributed import DistributedSampler

from weclick.data.index import Frame
from weclick.errors import ConfigError, DataError


class SampleKey(NamedTuple):
    """Position of a sample, and the seed of its draw."""

    position: int
    seed: int


class SeededSampler(Sampler[SampleKey]):
    """Shuffles the samples in each epoch, gives each its own seed, and divides each batch among processes.

    Order and draws depend on (seed, epoch, index) alone: neither the number of workers or processes nor a resume changes them.
    Lightning calls :meth:`set_epoch`.

    Args:
        dataset: Samples.
        seed: Seed of order and draws.
        batch_size: Samples of a batch over all processes. An epoch has every sample; the first ones of its order fill up the last
            batch, in other draws. Fewer samples than a batch are one smaller batch; some are repeated until every process has
            as many.
        replicas: Number of processes.
        rank: Of this process.

    Attributes:
        skip: Number of samples of this process that the next pass skips at its start.
    """

    def __init__(self, dataset: Sized, *, seed: int, batch_size: int = 1, replicas: int = 1, rank: int = 0) -> None:
        self._order: DistributedSampler[int] = DistributedSampler(
            dataset,  # type: ignore[arg-type]
            num_replicas=1,
            rank=0,
            shuffle=True,
            seed=seed,
        )
        unit = batch_size if len(dataset) > batch_size else replicas
        self._own = range(rank, len(dataset) + -len(dataset) % unit, replicas)
        self._seed = seed
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass."""
        self._order.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._own)

    def __iter__(self) -> Iterator[SampleKey]:
        order = list(self._order)
        for position in self._own[self.skip :]:
            repeated, place = divmod(position, len(order))
            index = order[place]
            yield SampleKey(index, sample_seed(self._seed, self._order.epoch, index + repeated * len(order)))


def own_batch(batch_size: int, processes: int, accumulated: int = 1) -> int:
    """Return how many samples of a batch one process takes in one step.

    Args:
        batch_size: Samples per optimiser step, over all processes.
        processes: Number of processes.
        accumulated: Steps whose gradients are accumulated.

    Raises:
        ConfigError: The batch cannot be divided.
    """
    parts = processes * accumulated
    if batch_size % parts:
        nearest = max(parts, round(batch_size / parts) * parts)
        steps = f" and {accumulated} accumulated steps" if accumulated > 1 else ""
        raise ConfigError(
            f"data.batch_size {batch_size} is the whole batch, and cannot be divided by {processes} processes{steps}; set it to "
            f"{nearest}, or change trainer.devices"
        )
    return batch_size // parts


def own_share(frames: Sequence[Frame], replicas: int, rank: int, where: str) -> Sequence[Frame]:
    """Return one process's share of the frames to evaluate; over all processes each frame appears exactly once.

    Lightning's own sampler pads the shares to one length, and so would count some frames twice.

    Args:
        frames: All frames to evaluate.
        replicas: Number of processes.
        rank: Of this process.
        where: Where the frames are from, for messages.

    Raises:
        DataError: There are fewer frames than processes.
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
