"""Frozen features of a frame."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from weclick.errors import ConfigError
from weclick.models.factory import IMAGENET, SegmentationNetwork
from weclick.probe.features import Features, FrozenFeatures, encoder_size

SOURCE = (16, 24)


def some_features(*shapes, source=SOURCE):
    generator = torch.Generator().manual_seed(0)
    return Features([torch.randn(shape, generator=generator).half() for shape in shapes], source)


def centre(row, column, cells, source=SOURCE):
    """Return x, y of the centre of a cell, in pixels of the frame."""
    return (column + 0.5) * source[1] / cells[1] - 0.5, (row + 0.5) * source[0] / cells[0] - 0.5


@pytest.mark.parametrize("cells", [(4, 6), (16, 24), (3, 5), (1, 1)])
def test_at_the_centre_of_a_cell_the_features_are_those_of_the_map(cells):
    features = some_features((3, *cells))
    points = [centre(row, column, cells) for row, column in np.ndindex(cells)]
    expected = features.maps[0].float().flatten(1).T
    torch.testing.assert_close(features.at(points), expected, atol=1e-4, rtol=0)


def test_between_two_cells_the_features_are_their_mean():
    features = some_features((3, 4, 6))
    (x, y), (other, _) = centre(2, 3, (4, 6)), centre(2, 4, (4, 6))
    expected = features.maps[0].float()[:, 2, 3:5].mean(1)
    torch.testing.assert_close(features.at([((x + other) / 2, y)])[0], expected, atol=1e-4, rtol=0)


def test_at_the_border_of_the_frame_the_features_are_those_of_the_last_cell():
    features = some_features((3, 4, 6))
    corners = features.at([(-0.5, -0.5), (23.49, 15.49)])
    expected = features.maps[0].float()[:, [0, -1], [0, -1]].T
    torch.testing.assert_close(corners, expected, atol=1e-4, rtol=0)


def test_the_maps_of_a_point_follow_one_another_whatever_their_size():
    features = some_features((3, 4, 6), (2, 1, 3))
    assert features.channels == 5
    one, two = (Features([own], SOURCE).at([(7.0, 9.0)]) for own in features.maps)
    found = features.at([(7.0, 9.0)])
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.cat([one, two], 1))


def test_constant_maps_give_constants():
    features = Features([torch.full((1, 3, 5), 0.5).half(), torch.full((1, 7, 2), -2.0).half()], SOURCE)
    points = [(-0.5, -0.5), (0.0, 0.0), (11.3, 7.9), (23.0, 15.0)]
    assert features.at(points).tolist() == [[0.5, -2.0]] * 4


def test_no_points_have_no_features():
    assert some_features((3, 4, 6), (2, 1, 3)).at([]).shape == (0, 5)


@pytest.mark.parametrize(
    ("source", "finest", "coarsest", "colour"),
    [
        ((64, 96), (32, 48), (4, 6), (32, 48)),
        ((63, 97), (32, 48), (4, 6), (31, 48)),
        ((10, 7), (8, 8), (1, 1), (5, 3)),
        ((1, 1), (8, 8), (1, 1), (1, 1)),
        ((40, 1000), (16, 320), (2, 40), (20, 500)),  # enlarged to 1280 only
        ((32, 1600), (8, 320), (1, 40), (16, 800)),  # reduced to 1280
    ],
)
def test_the_maps_of_frames_of_any_size_cover_them(frozen, source, finest, coarsest, colour):
    image = np.random.default_rng(0).integers(0, 256, (*source, 3), dtype=np.uint8)
    features = frozen(image)
    assert features.source == source
    shapes = [tuple(own.shape[1:]) for own in features.maps]
    assert (shapes[0], shapes[-2], shapes[-1]) == (finest, coarsest, colour)
    assert features.at([(0.0, 0.0), (source[1] - 1.0, source[0] - 1.0)]).isfinite().all()


@pytest.mark.parametrize("shape", [(64, 96), (63, 97)])
def test_the_cells_of_the_encoders_maps_have_length_one(frozen, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for own in frozen(image).maps[:-1]:
        assert own.dtype == torch.float16
        length = own.float().norm(dim=0)
        torch.testing.assert_close(length, torch.ones_like(length), atol=2e-3, rtol=0)


def test_the_last_features_are_colour_and_position(frozen):
    source = (63, 97)
    features = frozen(np.full((*source, 3), 255, np.uint8))
    points = [(48.0, 31.0), (10.0, 20.0), (90.0, 55.0)]
    colour, position = features.at(points)[:, -7:-4], features.at(points)[:, -4:]
    torch.testing.assert_close(colour, torch.tensor([[1.0, 0.0, 0.0]] * 3), atol=2e-3, rtol=0)
    expected = [((y + 0.5) / source[0] - 0.5, (x + 0.5) / source[1] - 0.5) for x, y in points]
    torch.testing.assert_close(position[:, :2], torch.tensor(expected), atol=2e-3, rtol=0)
    torch.testing.assert_close(position[:, 2:], torch.tensor(expected).square(), atol=2e-3, rtol=0)


def test_features_belong_to_their_place_in_the_frame(frozen):
    """A red disc on grey: the features at its centre differ from those of the grey frame, those far away hardly do."""
    grey = np.full((63, 97, 3), 120, np.uint8)
    disc = cv2.circle(grey.copy(), (80, 50), 5, (200, 30, 30), -1)
    finest = [Features(frozen(image).maps[:1], (63, 97)) for image in (grey, disc)]
    inside, far = ((finest[0].at([point]) - finest[1].at([point])).norm() for point in ((80.0, 50.0), (16.0, 12.0)))
    assert inside > 0.3 > 0.03 > far


def test_the_same_image_has_the_same_features(frozen, mosaic):
    first, again = frozen(mosaic), frozen(mosaic.copy())
    assert all(torch.equal(one, two) for one, two in zip(first.maps, again.maps, strict=True))
    other = FrozenFeatures()(mosaic)
    assert all(torch.equal(one, two) for one, two in zip(first.maps, other.maps, strict=True))


def test_a_network_without_an_encoder_is_refused():
    with pytest.raises(ConfigError, match="no encoder to take features from"):
        FrozenFeatures(SegmentationNetwork(nn.Conv2d(3, 1, 1), IMAGENET))


@pytest.mark.parametrize(
    ("source", "expected"),
    [((360, 480), (704, 960)), ((540, 960), (704, 1280)), ((2160, 3840), (704, 1280)), ((1, 1), (32, 32))],
)
def test_the_encoder_sees_frames_twice_as_large_and_at_most_1280_pixels_wide(source, expected):
    assert encoder_size(source) == expected
