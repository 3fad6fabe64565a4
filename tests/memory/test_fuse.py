import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.memory import fuse


def test_mean_over_reliable_neighbours_only_by_hand():
    warped = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]).view(1, 3, 2, 1, 1)
    memory = fuse(warped, torch.tensor([True, True, False]).view(1, 3, 1, 1, 1))
    torch.testing.assert_close(memory.probabilities.flatten(), torch.tensor([0.7, 0.3]))
    torch.testing.assert_close(memory.confidence.flatten(), torch.tensor([2 / 3]))


def test_confidence_is_the_share_of_reliable_neighbours():
    reliable = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]).bool().view(1, 4, 1, 1, 4)
    memory = fuse(torch.full((1, 4, 2, 1, 4), 0.5), reliable)
    assert memory.confidence.flatten().tolist() == [1.0, 0.25, 0.25, 0.0]


def test_where_nothing_is_reliable_nothing_is_known():
    memory = fuse(torch.full((1, 2, 3, 2, 2), 1 / 3), torch.zeros(1, 2, 1, 2, 2).bool())
    assert torch.equal(memory.probabilities, torch.zeros(1, 3, 2, 2))
    assert torch.equal(memory.confidence, torch.zeros(1, 1, 2, 2))


def test_no_neighbour_at_all_is_no_memory():
    memory = fuse(torch.zeros(1, 0, 3, 2, 2), torch.zeros(1, 0, 1, 2, 2).bool())
    assert memory.probabilities.shape == (1, 3, 2, 2)
    assert memory.confidence.sum() == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(0, 2**31))
def test_unreliable_neighbours_have_no_say(count, seed):
    generator = torch.Generator().manual_seed(seed)
    warped = torch.rand(2, count, 3, 4, 4, generator=generator).softmax(2)
    reliable = torch.rand(2, count, 1, 4, 4, generator=generator) > 0.5
    other = torch.where(reliable, warped, torch.rand(2, count, 3, 4, 4, generator=generator))
    first, second = fuse(warped, reliable), fuse(other, reliable)
    assert torch.equal(first.probabilities, second.probabilities)
    sums = first.probabilities.sum(1, keepdim=True)
    torch.testing.assert_close(sums, (first.confidence > 0).float())
