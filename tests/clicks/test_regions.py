"""Connected regions of a mask, and where to click on one."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from weclick.clicks.regions import center, connected_regions, largest

masks = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(bool, size))


def placed(region, size):
    """Return the pixels of a region as a mask of the image."""
    mask = np.zeros(size, bool)
    height, width = region.mask.shape
    mask[region.top : region.top + height, region.left : region.left + width] = region.mask
    return mask


def grown(mask):
    """Return a mask with all eight neighbours of its pixels."""
    padded = np.pad(mask, 1)
    shifts = [np.roll(padded, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return np.logical_or.reduce(shifts)[1:-1, 1:-1]


@settings(deadline=None, max_examples=50)
@given(masks)
def test_the_regions_are_the_mask_in_parts_that_do_not_touch(mask):
    regions = list(connected_regions(mask, 4))
    parts = [placed(region, mask.shape) for region in regions]
    assert np.array_equal(sum(map(np.int32, parts), np.zeros(mask.shape, np.int32)), mask)
    assert [region.area for region in regions] == [part.sum() for part in parts]
    assert {region.class_id for region in regions} <= {4}
    for number, part in enumerate(parts):
        assert not any((grown(part) & other).any() for other in parts[:number])
        found = part & (np.cumsum(part.ravel()) == 1).reshape(part.shape)
        for _ in range(part.size):  # from the first pixel, every other one of the region is reached
            found = grown(found) & part
        assert np.array_equal(found, part)


def test_pixels_that_touch_at_a_corner_are_one_region():
    (region,) = connected_regions(np.eye(3, dtype=bool), 0)
    assert (region.top, region.left, region.area) == (0, 0, 3)


def test_of_equally_large_regions_the_first_in_reading_order_is_the_largest():
    mask = np.array([[0, 0, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]], bool)
    regions = list(connected_regions(mask, 0))
    assert [largest(order)[:2] for order in (regions, regions[::-1])] == [(0, 3), (0, 3)]
    mask[3, 2] = True
    assert largest(connected_regions(mask, 0))[:2] == (3, 0)


def test_the_centre_does_not_depend_on_where_the_array_lies_in_memory():
    """OpenCV's distances differ in their last bit with the alignment of the array."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        mask = cv2.GaussianBlur(rng.random((66, 130)), (0, 0), 4) > 0.5
        truth = np.rint(distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] ** 2)
        y, x, distance = center(mask)
        assert truth[y, x] == truth.max() and distance == np.sqrt(truth.max())


@pytest.mark.parametrize(("height", "width"), [(5, 5), (1, 9), (3, 31)])
def test_the_centre_of_a_rectangle_is_its_middle(height, width):
    assert center(np.ones((height, width), bool)) == (height // 2, width // 2, (height + 1) / 2)
