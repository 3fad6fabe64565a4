import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.fabric.utilities.types import _Stateful
from torch.utils.data import Dataset

from weclick.data.loader import ResumableLoader
from weclick.data.sampler import SeededSampler


class Noted(Dataset):
    """Gives back what it is asked for, and remembers it."""

    def __init__(self, length):
        self.length = length
        self.read = []

    def __len__(self):
        return self.length

    def __getitem__(self, key):
        self.read.append(key.position)
        return torch.tensor([key.position, key.seed])


def loader(length=11, batch_size=2, **options):
    dataset = Noted(length)
    return ResumableLoader(dataset, SeededSampler(dataset, seed=1), batch_size=batch_size, **options)


def batches(found):
    return [batch.tolist() for batch in found]


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 4), st.integers(0, 20), st.booleans())
def test_a_resumed_pass_is_the_rest_of_the_whole_one(length, batch_size, stop, drop_last):
    whole = batches(loader(length, batch_size, drop_last=drop_last))
    stop = min(stop, len(whole))
    first = loader(length, batch_size, drop_last=drop_last)
    begun = iter(first)
    seen = [next(begun).tolist() for _ in range(stop)]
    resumed = loader(length, batch_size, drop_last=drop_last)
    resumed.load_state_dict(first.state_dict())
    assert seen + batches(resumed) == whole
    assert len(resumed) == len(whole)


def test_skipped_samples_are_not_read():
    resumed = loader()
    resumed.load_state_dict({"batches": 4})
    assert len(list(resumed)) == 2
    assert len(resumed.dataset.read) == 11 - 8


def test_only_the_first_pass_after_a_resume_is_shortened():
    resumed = loader()
    resumed.load_state_dict({"batches": 4})
    assert [len(list(resumed)) for _ in range(3)] == [2, 6, 6]


def test_a_resumed_epoch_stopped_again_knows_all_it_has_given():
    resumed = loader()
    resumed.load_state_dict({"batches": 2})
    begun = iter(resumed)
    next(begun)
    assert resumed.state_dict() == {"batches": 3}


@pytest.mark.parametrize("workers", [0, 1])
def test_the_epoch_may_be_set_after_the_pass_was_opened(workers):
    made, wanted = (loader(num_workers=workers) for _ in range(2))
    opened = iter(made)  # Lightning opens the pass before it tells the sampler its epoch
    made.sampler.set_epoch(3)
    wanted.sampler.set_epoch(3)
    assert batches(opened) == batches(wanted)


def test_lightning_takes_it_for_resumable():
    assert isinstance(loader(), _Stateful)


def test_each_process_skips_in_its_own_share():
    dataset = Noted(12)
    for rank in range(2):
        sampler = SeededSampler(dataset, seed=0, replicas=2, rank=rank)
        whole = list(sampler)
        sampler.skip = 4
        assert list(sampler) == whole[4:]
        assert len(sampler) == len(whole)
