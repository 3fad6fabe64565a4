"""Keep of a stored soft label what is connected to a click."""

import heapq

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.conventions import places_on_grid
from weclick.memory.connect import connect
from weclick.memory.fuse import Memory
from weclick.memory.item import MemoryItem, quantise
from weclick.memory.online import SoftLabels


def item(*levels):
    """Teacher and memory that both see these levels, one row of pixels per class."""
    maps = np.array(levels, np.uint8)[:, None, :]
    return MemoryItem(maps, maps.copy(), np.full((1, *maps.shape[1:]), 255, np.uint8))


def rows(maps):
    return maps[:, 0, :].tolist()


def slowly_connected(levels, clicks):
    """Return the largest level at which a path leads from each pixel to a click, (h, w): a search pixel by pixel."""
    reached, queue = np.zeros_like(levels), [(-1.0, place) for place in clicks]
    while queue:
        level, (row, column) = heapq.heappop(queue)
        if reached[row, column] >= -level:
            continue
        reached[row, column] = -level
        for r in range(max(row - 1, 0), min(row + 2, levels.shape[0])):
            for c in range(max(column - 1, 0), min(column + 2, levels.shape[1])):
                heapq.heappush(queue, (max(level, -float(levels[r, c])), (r, c)))
    return reached


def reference(soft, places):
    """Return exact soft labels connected class by class."""

    def connected(maps):
        clicked = torch.zeros(maps.shape[1:])
        for row, column, class_id in places:
            clicked[class_id, row, column] = 1
        count = clicked.sum(0)
        levels = torch.where(count > 0, clicked, maps[0]).numpy()
        places_of = [[(r, c) for r, c, other in places if other == class_id] for class_id in range(len(levels))]
        kept = [slowly_connected(*pair) for pair in zip(levels, places_of, strict=True)]
        return (torch.from_numpy(np.stack(kept)) / count.clip(min=1))[None]

    memory = soft.memory
    known = memory.confidence > 0
    return SoftLabels(connected(soft.teacher), Memory(connected(memory.probabilities) * known, memory.confidence))


def random_case(classes, seed, clicks, size):
    """Return soft labels, with pixels that no neighbour covers, and clicks."""
    generator = torch.Generator().manual_seed(seed)
    teacher, memory = (3 * torch.randn(1, classes, *size, generator=generator) for _ in "ab")
    confidence = (torch.randint(0, 4, (1, 1, *size), generator=generator) / 3).float()
    soft = SoftLabels(teacher.softmax(1), Memory(memory.softmax(1) * (confidence > 0), confidence))
    sides = (*size, classes)
    return soft, [tuple(int(torch.randint(0, high, (), generator=generator)) for high in sides) for _ in range(clicks)]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(0, 2**31), st.integers(0, 9), st.sampled_from([(6, 7), (1, 1), (23, 4), (1, 40)]))
def test_what_is_stored_is_what_a_search_pixel_by_pixel_finds(classes, seed, clicks, size):
    soft, places = random_case(classes, seed, clicks, size)
    (stored,), (expected,) = quantise(soft), quantise(reference(soft, places))
    for ours, theirs in zip(connect(stored, places), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.uint8


def test_a_path_may_wind_through_the_whole_map():
    size, places = 17, [(0, 0, 0)]
    levels = np.full((1, 2 * size - 1, size), 10, np.uint8)
    levels[0, ::2] = 200
    levels[0, 1::4, -1] = levels[0, 3::4, 0] = 200
    kept = connect(MemoryItem(levels, levels, np.full_like(levels, 255)), places).teacher
    levels[0, 0, 0] = 255
    np.testing.assert_array_equal(kept, levels)


def test_a_region_without_a_click_sinks_to_the_level_that_leads_to_one():
    found = connect(item([230, 204, 26, 179, 230], [26, 51, 230, 77, 26]), [(0, 0, 0), (0, 2, 1)])
    # the other class's click parts it
    assert rows(found.teacher) == [[255, 204, 0, 0, 0], [0, 51, 255, 77, 26]]
    assert rows(found.memory) == rows(found.teacher)


def test_a_path_carries_as_much_as_its_narrowest_place():
    found = connect(item([230, 102, 204, 153], [26, 153, 51, 102]), [(0, 0, 0)])
    assert rows(found.teacher)[0] == [255, 102, 102, 102]


def test_classes_that_were_not_clicked_vanish():
    assert rows(connect(item([77, 77], [179, 179]), [(0, 1, 0)]).teacher)[1] == [0, 0]
    assert not connect(item([77, 77], [179, 179]), []).teacher.any()


def test_two_classes_clicked_in_one_cell_both_start_there_and_share_it():
    found = connect(item([180, 230], [180, 26]), [(0, 0, 0), (0, 0, 1)])
    half = round(255 * 0.5**0.5)
    assert rows(found.teacher) == [[half, 230], [half, 26]]


def test_where_the_memory_has_no_vote_it_stays_empty():
    seen = item([255, 255], [0, 0])
    seen.memory[..., 1] = seen.confidence[..., 1] = 0
    found = connect(seen, [(0, 1, 0)])
    assert not found.memory[..., 1].any()
    np.testing.assert_array_equal(found.confidence, seen.confidence)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 4), st.integers(0, 2**31), st.integers(1, 5))
def test_nothing_rises_but_at_clicks_and_a_second_time_changes_nothing(classes, seed, clicks):
    soft, places = random_case(classes, seed, clicks, (6, 7))
    (stored,) = quantise(soft)
    once = connect(stored, places)
    elsewhere = np.ones((6, 7), bool)
    for row, column, class_id in places:
        elsewhere[row, column] = False
        sharing = len({other for r, c, other in places if (r, c) == (row, column)})
        assert once.teacher[class_id, row, column] == pytest.approx(255 * sharing**-0.5, abs=0.5)
    assert (once.teacher <= stored.teacher)[..., elsewhere].all()
    np.testing.assert_array_equal(connect(once, places).teacher, once.teacher)


def test_places_on_a_coarser_grid_by_hand():
    clicks = [(0.0, 0.0, 3), (3.4, 3.6, 1), (7.0, 7.0, 2)]
    assert places_on_grid(clicks, (8, 8), (2, 2)) == [(0, 0, 3), (1, 0, 1), (1, 1, 2)]
