"""Clicks grow over a surface and stop at its edges."""

import numpy as np

from weclick.clicks import Click, grow, grown_size
from weclick.conventions import IGNORE_INDEX

GREY, RED = (120, 120, 120), (200, 30, 30)


def picture(height=40, width=60):
    """A grey picture with a red rectangle: rows 10 to 29, columns 20 to 39."""
    image = np.full((height, width, 3), GREY, np.uint8)
    image[10:30, 20:40] = RED
    return image


def test_a_click_labels_its_surface_and_no_pixel_beyond_the_edge():
    image = picture()
    labels = grow(image, [Click(30, 20, 1), Click(5, 5, 0)], (40, 60), 0.3)
    inside = np.zeros(labels.shape, bool)
    inside[10:30, 20:40] = True
    assert (labels == 1).sum() > 0.5 * inside.sum()
    assert not (labels == 1)[~inside].any()
    assert not (labels == 0)[inside].any()


def test_without_edges_the_share_is_that_of_distances():
    """On one colour a row's distances are numbers of pixels: 2 from one click and 8 from the other is a share of 0.25."""
    image = np.full((1, 11, 3), 90, np.uint8)
    labels = grow(image, [Click(0, 0, 3), Click(10, 0, 7)], (1, 11), 0.25)
    i = IGNORE_INDEX
    assert labels.tolist() == [[3, 3, 3, i, i, i, i, i, 7, 7, 7]]


def test_clicks_of_one_class_do_not_limit_each_other():
    image = np.full((1, 11, 3), 90, np.uint8)
    labels = grow(image, [Click(0, 0, 3), Click(2, 0, 3), Click(10, 0, 7)], (1, 11), 0.5)
    assert labels.tolist()[0][:5] == [3, 3, 3, 3, 3 if 2 <= 0.5 * 6 else IGNORE_INDEX]


def test_a_frame_with_clicks_of_one_class_stays_unlabelled():
    assert (grow(picture(), [Click(30, 20, 1)], (40, 60), 0.3) == IGNORE_INDEX).all()


def test_clicks_are_in_pixels_of_the_source_frame():
    image = picture()
    expected = grow(image, [Click(30, 20, 1), Click(5, 5, 0)], (40, 60), 0.2)
    doubled = grow(image, [Click(60.5, 40.5, 1), Click(10.5, 10.5, 0)], (80, 120), 0.2)
    assert np.array_equal(doubled, expected)


def test_large_images_are_reduced():
    assert grown_size((1024, 2048)) == (256, 512)
    assert grown_size((360, 480)) == (360, 480)
    labels = grow(np.zeros((4, 1024, 3), np.uint8), [Click(0, 0, 0), Click(1023, 3, 1)], (4, 1024), 0.1)
    assert labels.shape == (2, 512)
    assert labels[0, 0] == 0 and labels[-1, -1] == 1
