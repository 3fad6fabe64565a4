import importlib.util
from typing import NamedTuple

import albumentations as A
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.conventions import IGNORE_INDEX
from weclick.data import draws
from weclick.data.draws import GeometricDraw, draw_discs
from weclick.errors import ConfigError

SIZE = (64, 128)


def coordinates(size=SIZE):
    """Return an image whose pixels hold their own position (x, y), and a label of 0..15 in 8 x 8 cells."""
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.stack([x, y, np.zeros_like(x)], -1).astype(np.float32)
    return image, ((y // 8 + x // 8) % 16).astype(np.uint8)


def identity_grid(height, width):
    return torch.nn.functional.affine_grid(torch.eye(2, 3)[None], (1, 1, height, width), align_corners=False)[0].numpy()


def at_cells(array):
    """Return the mean over 4 x 4 cells."""
    h, w = array.shape[0] // 4, array.shape[1] // 4
    return array[: 4 * h, : 4 * w].reshape(h, 4, w, 4, -1).mean((1, 3))


def at_point(image, x, y):
    """Return the image's value at a point, interpolated between four pixels."""
    column, row = int(x), int(y)
    (a, b), (c, d) = image[row : row + 2, column : column + 2]
    along, down = x - column, y - row
    return (1 - down) * ((1 - along) * a + along * b) + down * ((1 - along) * c + along * d)


class Drawn(NamedTuple):
    image: np.ndarray
    label: np.ndarray
    clicks: np.ndarray
    grid: np.ndarray


def drawn_by(draw, image, label, clicks, seed):
    window = draw.window(seed, image.shape[:2])
    return Drawn(window.image(image), window.label(label), window.clicks(clicks), window.grid())


CLICKS = np.array([[20.0, 10.0, 1], [64.0, 32.0, 2], [100.0, 50.0, 3], [40.25, 20.5, 4]], np.float32)
SEEDS = st.integers(0, 2**32 - 1)
SCALES = [(0.75, 1.5), (0.5, 0.6), (1.0, 1.0), (2.0, 2.0), (0.5, 2.0)]


@settings(deadline=None, max_examples=120)
@given(SEEDS, st.sampled_from(SCALES), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([SIZE, (75, 101)]))
def test_image_label_clicks_and_grid_move_together(seed, scale, flip, size):
    image, label = coordinates(size)
    drawn = drawn_by(GeometricDraw((64, 64), scale, flip), image, label, CLICKS, seed)
    assert drawn.image.shape == (64, 64, 3)
    assert drawn.label.shape == (64, 64)
    assert drawn.grid.shape == (16, 16, 2)
    # an enlarged image repeats its outermost pixels: there, and in the border, a pixel does not hold its position
    positions, in_frame = drawn.image[..., :2], drawn.label != IGNORE_INDEX
    exact = in_frame & (positions > 0).all(-1) & (positions < np.array([size[1], size[0]]) - 1).all(-1)
    _label_agrees(drawn.label, positions, exact)
    _grid_agrees(drawn.grid, size, positions, exact, in_frame)
    for (x, y, class_id), source in zip(drawn.clicks, CLICKS, strict=True):
        assert class_id == source[2]
        if 0 <= x < 63 and 0 <= y < 63 and exact[int(y) : int(y) + 2, int(x) : int(x) + 2].all():
            assert np.abs(at_point(positions, x, y) - source[:2]).max() < 0.01


def _label_agrees(label, positions, exact):
    x, y = (positions[exact] + 0.5).T
    # the label is that of the pixel in which the position lies; halfway between two pixels it may be of either
    clear = (np.abs(x / 8 - np.rint(x / 8)) > 0.01) & (np.abs(y / 8 - np.rint(y / 8)) > 0.01)
    assert (label[exact] == (y // 8 + x // 8) % 16)[clear].all()


def _grid_agrees(grid, size, positions, exact, in_frame):
    pixels = ((grid + 1) * np.array([size[1], size[0]]) - 1) / 2
    cells = at_cells(exact)[..., 0] == 1
    assert cells.any()
    assert np.abs(pixels - at_cells(positions))[cells].max() < 0.01
    assert (np.abs(grid[at_cells(in_frame)[..., 0] == 0]).max(-1) > 1).all()
    assert (np.abs(grid[at_cells(in_frame)[..., 0] == 1]).max(-1) <= 1).all()


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("scale", [0.5, 0.8, 1.3, 2.0])
def test_a_bright_spot_is_where_its_click_is(scale, flip):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    clicks = np.array([[70.0, 30.0, 1]], np.float32)
    spot = 255 * np.exp(-((x - 70) ** 2 + (y - 30) ** 2) / (2 * 4**2))
    image = np.repeat(spot[..., None], 3, -1).astype(np.float32)
    drawn = drawn_by(GeometricDraw((128, 256), (scale, scale), flip), image, coordinates()[1], clicks, 3)
    weight = drawn.image[..., 0] / drawn.image[..., 0].sum()
    y, x = np.mgrid[:128, :256]
    assert np.abs(drawn.clicks[0, :2] - [(weight * x).sum(), (weight * y).sum()]).max() < 0.01


def test_a_draw_that_changes_nothing_is_exact():
    image, label = coordinates()
    drawn = drawn_by(GeometricDraw(SIZE, (1.0, 1.0), 0.0), image, label, CLICKS, 0)
    assert np.array_equal(drawn.image, image)
    assert np.array_equal(drawn.label, label)
    np.testing.assert_allclose(drawn.clicks, CLICKS, atol=1e-4)
    # the cells of the identity grid are those of the image at a quarter of its size
    np.testing.assert_allclose(drawn.grid, identity_grid(16, 32), atol=1e-6)


def test_a_flip_is_exact():
    image, label = coordinates()
    drawn = drawn_by(GeometricDraw(SIZE, (1.0, 1.0), 1.0), image, label, CLICKS, 0)
    assert np.array_equal(drawn.image, image[:, ::-1])
    assert np.array_equal(drawn.label, label[:, ::-1])
    np.testing.assert_allclose(drawn.clicks, np.column_stack([127 - CLICKS[:, 0], CLICKS[:, 1:]]), atol=1e-4)
    np.testing.assert_allclose(drawn.grid, identity_grid(16, 32)[:, ::-1], atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(SEEDS)
def test_the_border_of_a_shrunk_frame_is_ignored_not_class_0(seed):
    image, label = coordinates()
    drawn = drawn_by(GeometricDraw(SIZE, (0.5, 0.5), 0.5), image, np.zeros_like(label), CLICKS, seed)
    assert (drawn.label == 0).sum() == 32 * 64
    assert (drawn.label == IGNORE_INDEX).sum() == drawn.label.size - 32 * 64
    assert not drawn.image[drawn.label == IGNORE_INDEX].any()


def test_a_draw_depends_on_its_seed_alone():
    image, label = coordinates()
    np.random.seed(0)
    draw = GeometricDraw((32, 64), (0.75, 1.5), 0.5)
    first = {seed: drawn_by(draw, image, label, CLICKS, seed) for seed in (5, 6, 7)}
    np.random.seed(1)
    again = GeometricDraw((32, 64), (0.75, 1.5), 0.5)
    for seed in (7, 5, 6):
        second = drawn_by(again, image, label, CLICKS, seed)
        assert all(np.array_equal(a, b) for a, b in zip(first[seed], second, strict=True))
    assert not np.array_equal(first[5].image, first[6].image)


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.sampled_from(SCALES), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([SIZE, (75, 101)]))
def test_a_window_is_the_crop_of_the_whole_frame_that_albumentations_draws(seed, scale, flip, size):
    rng = np.random.default_rng(seed)
    image, label = rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 20, size, np.uint8)
    whole = A.Compose(
        [
            A.RandomScale((scale[0] - 1, scale[1] - 1), mask_interpolation=cv2.INTER_NEAREST_EXACT, p=1.0),
            A.RandomCrop(64, 64, pad_if_needed=True, pad_position="random", fill=0, fill_mask=IGNORE_INDEX),
            A.HorizontalFlip(p=flip),
        ]
    )
    for number, part in enumerate(whole.transforms):
        part.set_random_seed(3 * seed + number)
    expected, window = whole(image=image, mask=label), GeometricDraw((64, 64), scale, flip).window(seed, size)
    assert np.array_equal(window.label(label), expected["mask"])
    assert np.abs(window.image(image).astype(int) - expected["image"]).max() <= 1  # resizing rounds differently


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.sampled_from(SCALES))
def test_a_draw_needs_no_more_than_its_rows(seed, scale):
    image = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
    window = GeometricDraw((32, 32), scale, 0.5).window(seed, SIZE)
    assert 0 < window.rows <= SIZE[0]
    assert np.array_equal(window.image(image[: window.rows]), window.image(image))


def test_scale_place_and_flip_are_drawn_independently():
    draw = GeometricDraw((100, 100), (0.6, 2.0), 0.5)
    windows = [draw.window(seed, (200, 300)) for seed in range(1000)]
    values = np.array(
        [
            (w.y.scaled / 200, w.y.start / (w.y.scaled - 100), w.x.start / (w.x.scaled - 100), float(w.flip))
            for w in windows
        ]
    )
    correlation = np.corrcoef(values.T) - np.eye(4)
    assert np.abs(correlation).max() < 0.12  # of independent numbers, its deviation is 1 / sqrt(1000)
    large = values[:, 0] > 1.3
    for share in (values[large, 3].mean(), values[~large, 3].mean(), (values[large, 1] < 0.5).mean()):
        assert 0.4 < share < 0.6


def test_a_draw_without_clicks_has_none():
    image, label = coordinates()
    drawn = drawn_by(GeometricDraw(SIZE, (0.75, 1.5), 0.5), image, label, np.zeros((0, 3), np.float32), 0)
    assert drawn.clicks.shape == (0, 3)


def test_clicks_keep_their_class_and_order_outside_the_crop():
    image, label = coordinates()
    clicks = np.array([[x, 5.0, 17] for x in (1.0, 60.0, 126.0)], np.float32)
    drawn = drawn_by(GeometricDraw((64, 32), (1.0, 1.0), 0.0), image, label, clicks, 0)
    assert drawn.clicks[:, 2].tolist() == [17, 17, 17]
    np.testing.assert_allclose(np.diff(drawn.clicks[:, 0]), [59.0, 66.0], atol=1e-4)


def test_a_disc_by_hand():
    label = draw_discs(np.array([[2.0, 1.0, 7]], np.float32), (4, 5), radius=1)
    # fmt: off
    assert label.tolist() == [
        [255, 255,   7, 255, 255],
        [255,   7,   7,   7, 255],
        [255, 255,   7, 255, 255],
        [255, 255, 255, 255, 255],
    ]
    # fmt: on


def test_where_discs_meet_the_nearest_click_wins():
    label = draw_discs(np.array([[1.0, 0.0, 0], [5.0, 0.0, 1]], np.float32), (1, 7), radius=10)
    assert label[0].tolist()[:3] == [0, 0, 0]
    assert label[0].tolist()[4:] == [1, 1, 1]


def test_radius_0_marks_the_clicked_pixel_alone():
    label = draw_discs(np.array([[2.4, 0.6, 3]], np.float32), (3, 5), radius=0)
    assert np.argwhere(label != IGNORE_INDEX).tolist() == [[1, 2]]


def test_clicks_outside_are_left_out():
    clicks = np.array([[-0.6, 0.0, 1], [4.5, 0.0, 1], [0.0, -3.0, 1], [0.0, 9.0, 1]], np.float32)
    assert (draw_discs(clicks, (3, 4), radius=5) == IGNORE_INDEX).all()
    assert (draw_discs(np.array([[-0.4, 0.0, 1], [3.4, 2.4, 2]], np.float32), (3, 4), 0) != IGNORE_INDEX).sum() == 2


def test_no_click_marks_nothing():
    assert (draw_discs(np.zeros((0, 3), np.float32), (3, 4), radius=2) == IGNORE_INDEX).all()


POINTS = st.lists(st.tuples(st.integers(-2, 13), st.integers(-2, 10), st.integers(0, 254)), max_size=6)


@settings(deadline=None, max_examples=60)
@given(POINTS, st.sampled_from([0.0, 1.0, 1.5, 2.0, 4.0]))
def test_discs_equal_the_nearest_click_within_the_radius(points, radius):
    points = list({point[:2]: point for point in points}.values())
    label = draw_discs(np.array(points, np.float32).reshape(-1, 3), (9, 12), radius)
    inside = [p for p in points if 0 <= p[0] < 12 and 0 <= p[1] < 9]
    for row in range(9):
        for column in range(12):
            distances = [((p[0] - column) ** 2 + (p[1] - row) ** 2, p[2]) for p in inside]
            nearest = min(distances, default=(np.inf, 0))[0]
            allowed = {c for d, c in distances if d == nearest} if nearest <= radius**2 else {IGNORE_INDEX}
            assert label[row, column] in allowed


@pytest.mark.parametrize("version", ["2.0.11", "2.1.0", "1.4.24"])
def test_trap_21_another_release_under_the_same_name_is_refused_at_import(monkeypatch, version):
    monkeypatch.setattr("albumentations.__version__", version)
    spec = importlib.util.spec_from_file_location("once_more", draws.__file__)
    with pytest.raises(ConfigError, match=rf"albumentations {version} .*albumentations==2\.0\.8"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
