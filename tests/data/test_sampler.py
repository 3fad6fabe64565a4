import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.data.sampler import SeededSampler, sample_seed


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
@given(st.integers(1, 30), st.integers(1, 5))
def test_every_process_makes_as_many_steps_and_none_misses_a_sample(length, replicas):
    shares = [drawn(length, replicas=replicas, rank=rank) for rank in range(replicas)]
    assert len({len(share) for share in shares}) == 1
    assert {key.position for share in shares for key in share} == set(range(length))


def test_sample_seeds_fit_albumentations():
    assert all(0 <= sample_seed(seed, epoch, 0) < 2**32 for seed in (0, 2**31) for epoch in range(5))
