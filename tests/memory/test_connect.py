import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.memory import Memory, SoftLabels, connect, places_on_grid


def soft_labels(*levels):
    """Teacher and memory that both see these levels, one row of pixels per class."""
    maps = torch.tensor(levels)[None, :, None, :]
    return SoftLabels(maps, Memory(maps, torch.ones(1, 1, 1, maps.shape[-1])))


def rows(maps):
    return maps[0, :, 0].tolist()


def test_a_region_without_a_click_sinks_to_the_level_that_leads_to_one():
    seen = soft_labels([0.9, 0.8, 0.1, 0.7, 0.9], [0.1, 0.2, 0.9, 0.3, 0.1])
    found = connect(seen, [(0, 0, 0), (0, 2, 1)])
    left, right = rows(found.teacher)
    assert torch.allclose(
        torch.tensor(left), torch.tensor([1.0, 0.8, 0.0, 0.0, 0.0])
    )  # the other class's click parts it
    assert torch.allclose(torch.tensor(right), torch.tensor([0.0, 0.2, 1.0, 0.3, 0.1]))
    torch.testing.assert_close(found.memory.probabilities, found.teacher)


def test_a_path_carries_as_much_as_its_narrowest_place():
    found = connect(soft_labels([0.9, 0.4, 0.8, 0.6], [0.1, 0.6, 0.2, 0.4]), [(0, 0, 0)])
    assert torch.allclose(torch.tensor(rows(found.teacher)[0]), torch.tensor([1.0, 0.4, 0.4, 0.4]))


def test_classes_that_were_not_clicked_vanish():
    found = connect(soft_labels([0.3, 0.3], [0.7, 0.7]), [(0, 1, 0)])
    assert rows(found.teacher)[1] == [0.0, 0.0]


def test_two_classes_clicked_in_one_cell_both_start_there_and_share_it():
    connected = connect(soft_labels([0.5, 0.9], [0.5, 0.1]), [(0, 0, 0), (0, 0, 1)])
    assert torch.allclose(torch.tensor(rows(connected.teacher)), torch.tensor([[0.5, 0.9], [0.5, 0.1]]))
    assert connected.teacher.sum(1).max() <= 1


def test_where_the_memory_knows_nothing_it_still_knows_nothing():
    seen = soft_labels([1.0, 1.0], [0.0, 0.0])
    seen.memory.confidence[..., 1] = 0
    seen.memory.probabilities[..., 1] = 0
    found = connect(seen, [(0, 1, 0)]).memory
    assert found.probabilities[..., 1].sum() == 0
    assert torch.equal(found.confidence, seen.memory.confidence)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 4), st.integers(0, 2**31), st.integers(1, 5))
def test_nothing_rises_but_at_clicks_and_a_second_time_changes_nothing(classes, seed, clicks):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(1, classes, 6, 7, generator=generator).softmax(1)
    places = [
        tuple(int(torch.randint(0, high, (), generator=generator)) for high in (6, 7, classes)) for _ in range(clicks)
    ]
    once = connect(SoftLabels(maps, Memory(maps, torch.ones(1, 1, 6, 7))), places)
    elsewhere = torch.ones(6, 7, dtype=torch.bool)
    for row, column, class_id in places:
        elsewhere[row, column] = False
        sharing = len({other for r, c, other in places if (r, c) == (row, column)})
        assert once.teacher[0, class_id, row, column].item() == pytest.approx(1 / sharing)
    assert (once.teacher <= maps + 1e-6)[..., elsewhere].all()
    torch.testing.assert_close(connect(once, places).teacher, once.teacher)


def test_places_on_a_coarser_grid_by_hand():
    clicks = [(0.0, 0.0, 3), (3.4, 3.6, 1), (7.0, 7.0, 2)]
    assert places_on_grid(clicks, (8, 8), (2, 2)) == [(0, 0, 3), (1, 0, 1), (1, 1, 2)]
