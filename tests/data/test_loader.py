import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.fabric.utilities.types import _Stateful
from torch.utils.data import Dataset

from weclick.data.loader import ResumableLoader
from weclick.data.sampler import SeededSampler


class Recorded(Dataset):
    """Returns the key of each sample, and lists the positions that were read."""

    def __init__(self, length):
        self.length = length
        self.read = []

    def __len__(self):
        return self.length

    def __getitem__(self, key):
        self.read.append(key.position)
        return torch.tensor([key.position, key.seed])


def loader(length=11, batch_size=2, **options):
    dataset = Recorded(length)
    return ResumableLoader(dataset, SeededSampler(dataset, seed=1), batch_size=batch_size, **options)


def batches(loader):
    return [batch.tolist() for batch in loader]


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 4), st.integers(0, 20), st.booleans())
def test_a_resumed_pass_yields_the_remaining_batches(length, batch_size, stop, drop_last):
    full = batches(loader(length, batch_size, drop_last=drop_last))
    stop = min(stop, len(full))
    first = loader(length, batch_size, drop_last=drop_last)
    iterator = iter(first)
    yielded = [next(iterator).tolist() for _ in range(stop)]
    resumed = loader(length, batch_size, drop_last=drop_last)
    resumed.load_state_dict(first.state_dict())
    assert yielded + batches(resumed) == full
    assert len(resumed) == len(full)


def test_skipped_samples_are_not_read():
    resumed = loader()
    resumed.load_state_dict({"batches": 4})
    assert len(list(resumed)) == 2
    assert len(resumed.dataset.read) == 11 - 8


def test_only_the_first_pass_after_a_resume_is_shortened():
    resumed = loader()
    resumed.load_state_dict({"batches": 4})
    assert [len(list(resumed)) for _ in range(3)] == [2, 6, 6]


def test_a_resumed_epoch_that_stops_again_counts_all_its_batches():
    resumed = loader()
    resumed.load_state_dict({"batches": 2})
    iterator = iter(resumed)
    next(iterator)
    assert resumed.state_dict() == {"batches": 3}


@pytest.mark.parametrize("workers", [0, 1])
def test_the_epoch_may_be_set_after_iter(workers):
    made, wanted = (loader(num_workers=workers) for _ in range(2))
    opened = iter(made)  # Lightning calls iter() before it sets the sampler's epoch
    made.sampler.set_epoch(3)
    wanted.sampler.set_epoch(3)
    assert batches(opened) == batches(wanted)


def test_lightning_saves_its_state():
    assert isinstance(loader(), _Stateful)


def test_each_process_skips_in_its_own_share():
    dataset = Recorded(12)
    for rank in range(2):
        sampler = SeededSampler(dataset, seed=0, replicas=2, rank=rank)
        full = list(sampler)
        sampler.skip = 4
        assert list(sampler) == full[4:]
        assert len(sampler) == len(full)
