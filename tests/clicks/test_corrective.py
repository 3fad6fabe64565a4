"""Corrective clicks: where a person clicks who sees what is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weclick.clicks import Click, corrective
from weclick.clicks.corrective import corrective_click
from weclick.clicks.regions import connected_regions
from weclick.conventions import IGNORE_INDEX

SURFACE, OBJECT, OTHER = 0, 1, 2


def frame(*rectangles, size=(40, 40)):
    """Return a surface with rectangles (top, left, height, width, class) on it."""
    ids = np.full(size, SURFACE, np.uint8)
    for top, left, height, width, class_id in rectangles:
        ids[top : top + height, left : left + width] = class_id
    return ids


def test_where_nothing_is_wrong_there_is_no_click():
    label = frame((4, 10, 5, 5, OBJECT))
    assert corrective_click(label, label.copy(), 1) is None


@pytest.mark.parametrize(
    ("label", "predicted", "class_id"),
    [
        (frame((4, 10, 5, 5, OBJECT)), frame(), OBJECT),
        (frame(), frame((4, 10, 5, 5, OBJECT)), SURFACE),
        (frame((4, 10, 5, 5, OBJECT)), frame((4, 10, 5, 5, OTHER)), OBJECT),
        (frame((4, 10, 5, 5, OBJECT)), frame((4, 10, 5, 2, OTHER)), OBJECT),
    ],
    ids=["missed", "invented", "confused", "partly missed, partly confused"],
)
def test_the_click_is_at_the_centre_of_a_wrong_square_with_the_class_of_the_mask(label, predicted, class_id):
    assert corrective_click(label, predicted, 25) == Click(12.0, 6.0, class_id)


def test_a_region_below_the_smallest_area_is_not_clicked():
    label, predicted = frame((4, 10, 5, 5, OBJECT), (20, 20, 2, 3, OBJECT)), frame()
    assert corrective_click(label, predicted, 26) is None
    assert corrective_click(label, predicted, 25) == Click(12.0, 6.0, OBJECT)


def test_the_smallest_area_is_that_of_one_region_not_of_all():
    label = frame((4, 4, 2, 2, OBJECT), (4, 14, 2, 2, OBJECT), (4, 24, 2, 2, OBJECT))
    assert corrective_click(label, frame(), 5) is None


def test_two_classes_beside_each_other_are_two_regions():
    label, predicted = frame((4, 10, 5, 3, OBJECT), (4, 13, 5, 5, OTHER)), frame()
    assert corrective_click(label, predicted, 16) == Click(15.0, 6.0, OTHER)


def test_ignored_pixels_are_never_wrong():
    label = frame((0, 0, 40, 30, IGNORE_INDEX), (4, 34, 3, 3, OBJECT))
    predicted = frame((0, 0, 40, 30, OTHER))
    assert corrective_click(label, predicted, 1) == Click(35.0, 5.0, OBJECT)
    assert corrective_click(label, frame((0, 0, 40, 30, OTHER), (4, 34, 3, 3, OBJECT)), 1) is None
    assert corrective_click(np.full((4, 4), IGNORE_INDEX, np.uint8), frame(size=(4, 4)), 1) is None


@pytest.mark.parametrize(
    ("rarity", "side", "clicked"),
    [(0.0, 3, OBJECT), (0.0, 5, SURFACE), (0.5, 12, OBJECT), (0.5, 13, SURFACE), (1.0, 20, OBJECT)],
)
def test_a_small_missed_object_counts_as_much_as_a_larger_part_of_a_large_surface(monkeypatch, rarity, side, clicked):
    """With 0.5, 16 pixels of an object of 16 count 4; so do 159 of a surface of 1584, a little less than 13 x 13."""
    monkeypatch.setattr(corrective, "RARITY", rarity)
    label = frame((2, 2, 4, 4, OBJECT))
    click = corrective_click(label, frame((20, 20, side, side, OTHER)), 1)
    assert click.class_id == clicked
    assert label[int(click.y), int(click.x)] == clicked


def test_a_small_missed_object_is_clicked_before_a_slightly_larger_part_of_a_large_surface():
    label = frame((2, 2, 4, 4, OBJECT))
    assert corrective_click(label, frame((20, 20, 5, 5, OTHER)), 1).class_id == OBJECT
    assert corrective_click(label, frame((10, 10, 30, 30, OTHER)), 1).class_id == SURFACE


def test_of_equally_important_regions_the_first_in_reading_order_is_clicked():
    label = frame((20, 4, 3, 3, OBJECT), (4, 30, 3, 3, OBJECT), (4, 10, 3, 3, OBJECT))
    assert corrective_click(label, frame(), 1) == Click(11.0, 5.0, OBJECT)
    again = corrective_click(np.asfortranarray(label), frame(), 1)  # another order of the pixels in memory
    assert again == Click(11.0, 5.0, OBJECT)


pairs = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: st.tuples(
        arrays(np.uint8, size, elements=st.sampled_from([0, 1, 2, IGNORE_INDEX])),
        arrays(np.uint8, size, elements=st.integers(0, 3)),
    )
)


@settings(deadline=None)
@given(pairs, st.integers(1, 12))
def test_a_click_is_on_a_wrong_pixel_with_its_class_or_no_region_is_large_enough(pair, min_area):
    label, predicted = pair
    click = corrective_click(label, predicted, min_area)
    if click is None:
        wrong = [(label == class_id) & (predicted != class_id) for class_id in range(3)]
        assert all(region.area < min_area for mask in wrong for region in connected_regions(mask, 0))
    else:
        place = int(click.y), int(click.x)
        assert label[place] == click.class_id != predicted[place]
        assert label[place] != IGNORE_INDEX
