"""Clicks grow over a surface and stop at its edges."""

import numpy as np

from weclick.clicks import Click
from weclick.clicks.grow import grow, grown_size
from weclick.conventions import IGNORE_INDEX

GREY, RED = (120, 120, 120), (200, 30, 30)


def picture():
    """A grey picture, 80 rows and 120 columns, with a red rectangle: rows 20 to 59, columns 40 to 79."""
    image = np.full((80, 120, 3), GREY, np.uint8)
    image[20:60, 40:80] = RED
    return image


def strip(*clicks, share):
    """Grow clicks (column, class) on a strip of one colour; labels of its 11 cells, each two pixels wide."""
    placed = [Click(2 * column + 0.5, 0.5, class_id) for column, class_id in clicks]
    return grow(np.full((2, 22, 3), 90, np.uint8), placed, (2, 22), share).tolist()


def test_a_click_labels_its_surface_and_no_pixel_beyond_the_edge():
    labels = grow(picture(), [Click(60, 40, 1), Click(10, 10, 0)], (80, 120), 0.3)
    inside = np.zeros((40, 60), bool)
    inside[10:30, 20:40] = True
    assert labels.shape == inside.shape
    assert (labels == 1).sum() > 0.5 * inside.sum()
    assert not (labels == 1)[~inside].any()
    assert not (labels == 0)[inside].any()


def test_without_edges_the_share_is_that_of_distances():
    """A row's distances are numbers of cells there: 2 from one click and 8 from the other is a share of 0.25."""
    i = IGNORE_INDEX
    assert strip((0, 3), (10, 7), share=0.25) == [[3, 3, 3, i, i, i, i, i, 7, 7, 7]]


def test_clicks_of_one_class_do_not_limit_each_other():
    i = IGNORE_INDEX
    assert strip((0, 3), (4, 3), (10, 7), share=0.4) == [[3, 3, 3, 3, 3, 3, i, i, i, 7, 7]]


def test_a_frame_with_clicks_of_one_class_stays_unlabelled():
    assert strip((0, 3), (4, 3), share=0.4) == [[IGNORE_INDEX] * 11]


def test_a_cell_that_several_classes_were_clicked_in_is_nobodys():
    i = IGNORE_INDEX
    assert strip((0, 3), (0, 1), (10, 7), share=0.25) == [[i, i, i, i, i, i, i, i, 7, 7, 7]]


def test_clicks_are_in_pixels_of_the_source_frame():
    image = picture()
    expected = grow(image, [Click(60, 40, 1), Click(10, 10, 0)], (80, 120), 0.2)
    doubled = grow(image, [Click(120.5, 80.5, 1), Click(20.5, 20.5, 0)], (160, 240), 0.2)
    assert np.array_equal(doubled, expected)


def test_large_images_are_reduced_further():
    assert grown_size((1024, 2048)) == (256, 512)
    assert grown_size((360, 480)) == (180, 240)
    labels = grow(np.zeros((4, 2048, 3), np.uint8), [Click(0, 0, 0), Click(2047, 3, 1)], (4, 2048), 0.1)
    assert labels.shape == (1, 512)
    assert labels[0, 0] == 0 and labels[-1, -1] == 1
