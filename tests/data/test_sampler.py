import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.data.sampler import SeededSampler, own_batch, sample_seed
from weclick.errors import ConfigError


def drawn(length, epoch=0, **options):
    sampler = SeededSampler(range(length), seed=options.pop("seed", 0), **options)
    sampler.set_epoch(epoch)
    assert len(sampler) == len(list(sampler))
    return list(sampler)


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(0, 5), st.integers(0, 2**31))
def test_every_epoch_is_a_permutation_and_follows_from_its_seed(length, epoch, seed):
    keys = drawn(length, epoch, seed=seed)
    assert sorted(key.position for key in keys) == list(range(length))
    assert keys == drawn(length, epoch, seed=seed)


def test_epochs_differ_in_order_and_in_draws():
    first, second = drawn(20, 0), drawn(20, 1)
    assert [k.position for k in first] != [k.position for k in second]
    assert not {k.seed for k in first} & {k.seed for k in second}


def test_seeds_differ_in_order_and_in_draws():
    first, second = drawn(20, seed=0), drawn(20, seed=1)
    assert [k.position for k in first] != [k.position for k in second]
    assert not {k.seed for k in first} & {k.seed for k in second}


def test_the_seed_of_a_sample_does_not_depend_on_its_place_in_the_order():
    assert {key.position: key.seed for key in drawn(20, 3, seed=7)} == {n: sample_seed(7, 3, n) for n in range(20)}


@pytest.mark.parametrize("replicas", [2, 3, 4])
def test_shares_of_processes_are_disjoint_and_cover_all(replicas):
    shares = [drawn(12, 1, replicas=replicas, rank=rank) for rank in range(replicas)]
    assert {len(share) for share in shares} == {12 // replicas}
    assert sorted(key for share in shares for key in share) == sorted(drawn(12, 1))


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 3))
def test_processes_together_take_the_batches_of_a_single_one(length, replicas, own):
    batch = own * replicas
    single = drawn(length, batch_size=batch)
    shares = [drawn(length, batch_size=batch, replicas=replicas, rank=rank) for rank in range(replicas)]
    assert len({len(share) for share in shares}) == 1
    if length < batch:  # one smaller batch; some samples are repeated, in other draws, until all processes have as many
        together = {key for share in shares for key in share}
        assert set(single) <= together
        assert len(together - set(single)) == -length % replicas
        return
    assert len(single) == -(-length // batch) * batch
    assert {key.position for key in single} == set(range(length))  # no frame is left out
    assert len(set(single)) == len(single)  # those that fill up the last batch are other draws
    for start in range(0, len(single), batch):
        step = [key for share in shares for key in share[start // replicas : start // replicas + own]]
        assert sorted(step) == sorted(single[start : start + batch])


@pytest.mark.parametrize(("batch", "processes", "accumulated", "own"), [(8, 1, 1, 8), (8, 2, 1, 4), (8, 2, 2, 2)])
def test_a_batch_is_divided_among_processes_and_accumulated_steps(batch, processes, accumulated, own):
    assert own_batch(batch, processes, accumulated) == own


@pytest.mark.parametrize(("batch", "processes", "nearest"), [(8, 3, 9), (1, 2, 2), (10, 4, 8), (15, 8, 16)])
def test_a_batch_that_cannot_be_divided_is_refused_with_the_nearest_that_can(batch, processes, nearest):
    with pytest.raises(ConfigError, match=rf"batch_size {batch} .* {processes} processes; set it to {nearest}, "):
        own_batch(batch, processes)


def test_sample_seeds_fit_albumentations():
    assert all(0 <= sample_seed(seed, epoch, 0) < 2**32 for seed in (0, 2**31) for epoch in range(5))
