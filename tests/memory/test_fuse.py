import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.memory.fuse import fuse
from weclick.memory.options import Fusion


def votes(warped, reliable, own=None, offsets=None, weight=0.0, **fusion):
    """Fuse neighbours; by default the target itself sees every class alike, and neighbours lie one frame apart."""
    own = torch.full_like(warped[:, 0], 1 / warped.shape[2]) if own is None else own
    offsets = -torch.arange(1, warped.shape[1] + 1).expand(len(warped), -1) if offsets is None else offsets
    return fuse(own, warped, reliable, offsets, Fusion(own=weight, **fusion))


def pixel(*rows):
    """Two-class probabilities at one pixel, one row for each neighbour."""
    return torch.tensor([[p, 1 - p] for p in rows]).view(1, len(rows), 2, 1, 1)


ALL = torch.ones(1, 2, 1, 1, 1, dtype=torch.bool)


def test_mean_over_reliable_neighbours_only_by_hand():
    warped = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]).view(1, 3, 2, 1, 1)
    memory = votes(warped, torch.tensor([True, True, False]).view(1, 3, 1, 1, 1))
    torch.testing.assert_close(memory.probabilities.flatten(), torch.tensor([0.7, 0.3]))
    torch.testing.assert_close(memory.confidence.flatten(), torch.tensor([2 / 3]))


def test_confidence_is_the_share_of_reliable_neighbours():
    reliable = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]).bool().view(1, 4, 1, 1, 4)
    memory = votes(torch.full((1, 4, 2, 1, 4), 0.5), reliable)
    assert memory.confidence.flatten().tolist() == [1.0, 0.25, 0.25, 0.0]


def test_where_nothing_is_reliable_nothing_is_known():
    memory = votes(torch.full((1, 2, 3, 2, 2), 1 / 3), torch.zeros(1, 2, 1, 2, 2).bool())
    assert torch.equal(memory.probabilities, torch.zeros(1, 3, 2, 2))
    assert torch.equal(memory.confidence, torch.zeros(1, 1, 2, 2))


def test_no_neighbour_at_all_is_no_memory():
    memory = votes(torch.zeros(1, 0, 3, 2, 2), torch.zeros(1, 0, 1, 2, 2).bool(), own=torch.full((1, 3, 2, 2), 1 / 3))
    assert memory.probabilities.shape == (1, 3, 2, 2)
    assert memory.confidence.sum() == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(0, 2**31))
def test_unreliable_neighbours_do_not_count(count, seed):
    generator = torch.Generator().manual_seed(seed)
    warped = torch.rand(2, count, 3, 4, 4, generator=generator).softmax(2)
    reliable = torch.rand(2, count, 1, 4, 4, generator=generator) > 0.5
    other = torch.where(reliable, warped, torch.rand(2, count, 3, 4, 4, generator=generator))
    first, second = votes(warped, reliable), votes(other, reliable)
    assert torch.equal(first.probabilities, second.probabilities)
    sums = first.probabilities.sum(1, keepdim=True)
    torch.testing.assert_close(sums, (first.confidence > 0).float())


def test_the_targets_own_vote_counts_by_its_weight():
    memory = votes(pixel(0.9, 0.5), ALL, own=pixel(0.1)[:, 0], weight=2.0)
    torch.testing.assert_close(memory.probabilities[0, 0].item(), (0.9 + 0.5 + 2 * 0.1) / 4)
    assert memory.confidence.item() == 1


def test_with_its_own_vote_a_target_knows_something_everywhere():
    memory = votes(pixel(0.9, 0.5), ~ALL, own=pixel(0.3)[:, 0], weight=1.0)
    torch.testing.assert_close(memory.probabilities[0, 0].item(), 0.3)
    torch.testing.assert_close(memory.confidence.item(), 1 / 3)


def test_certain_votes_count_more():
    memory = votes(pixel(0.9, 0.5), ALL, certainty=2.0)
    first, second = 0.9**2, 0.5**2
    torch.testing.assert_close(memory.probabilities[0, 0].item(), (first * 0.9 + second * 0.5) / (first + second))
    torch.testing.assert_close(memory.confidence.item(), (first + second) / 2)


@pytest.mark.parametrize("unit", [1, 30])
def test_far_votes_count_less_whatever_the_frame_rate(unit):
    memory = votes(pixel(0.9, 0.5), ALL, offsets=torch.tensor([[unit, -3 * unit]]), decay=0.5)
    far = math.exp(-0.5 * 2)
    torch.testing.assert_close(memory.probabilities[0, 0].item(), (0.9 + far * 0.5) / (1 + far))


def test_padding_has_no_distance():
    trusted = torch.tensor([True, False]).view(1, 2, 1, 1, 1)
    memory = votes(pixel(0.9, 0.5), trusted, offsets=torch.tensor([[-2, 0]]), decay=0.5)
    torch.testing.assert_close(memory.probabilities[0, 0].item(), 0.9)
    assert memory.confidence.item() == 0.5
