"""The random walker."""

import numpy as np
import pytest
from scipy.sparse import diags_array
from scipy.sparse.linalg import spsolve

from weclick.probe.walker import GAMMA, RandomWalker, grid_laplacian

SIZE = (8, 12)


def some_prior(seed=0, classes=3, size=SIZE):
    prior = np.random.default_rng(seed).random((classes, *size)).astype(np.float32)
    return prior / prior.sum(0)


def solved(image, size, prior, clicks):
    """Solve ``(L + GAMMA I) x = GAMMA p`` with clicked cells held at their class, directly."""
    cells = size[0] * size[1]
    system = (grid_laplacian(image, size) + GAMMA * diags_array(np.ones(cells))).tocsr()
    x = np.zeros((len(prior), cells))
    for row, column, class_id in clicks:
        x[class_id, row * size[1] + column] = 1
    places, free = x.any(0).nonzero()[0], (~x.any(0)).nonzero()[0]
    x[:, places] /= x[:, places].sum(0)
    for class_id, own in enumerate(x):
        right = GAMMA * prior[class_id].ravel()[free] - system[free][:, places] @ own[places]
        own[free] = spsolve(system[free][:, free].tocsc(), right)
    return x.reshape(prior.shape)


CLICKS = {
    "no clicks": [],
    "one click": [(4, 4, 1)],
    "a corner": [(0, 0, 2)],
    "several": [(1, 1, 0), (6, 9, 2), (4, 4, 1), (4, 5, 0)],
    "two classes in a cell": [(2, 3, 0), (2, 3, 1)],
}


@pytest.mark.parametrize("clicks", CLICKS.values(), ids=CLICKS)
def test_walking_solves_the_linear_system(mosaic, clicks):
    prior = some_prior()
    found = RandomWalker(mosaic, SIZE).walk(prior, clicks)
    assert found.shape == prior.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, solved(mosaic, SIZE, prior, clicks), atol=5e-3)


@pytest.mark.parametrize("start", [None, np.zeros((3, *SIZE), np.float32), np.ones((3, *SIZE), np.float32)])
def test_the_result_is_probabilities(mosaic, start):
    found = RandomWalker(mosaic, SIZE).walk(some_prior(), CLICKS["several"], start)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    assert found.min() >= 0


def test_a_clicked_cell_has_its_class_whatever_the_prior(mosaic):
    prior = np.zeros((3, *SIZE), np.float32)
    prior[2] = 1
    found = RandomWalker(mosaic, SIZE).walk(prior, [(2, 3, 0), (5, 9, 1)])
    np.testing.assert_allclose(found[:, 2, 3], [1, 0, 0], atol=5e-3)
    np.testing.assert_allclose(found[:, 5, 9], [0, 1, 0], atol=5e-3)


def test_a_click_spreads_over_its_surface_and_not_beyond_the_edge(halves):
    """Everywhere the prior says 0.4, 0.6; a click says the first class on the left half."""
    prior = np.stack([np.full(SIZE, 0.4), np.full(SIZE, 0.6)]).astype(np.float32)
    found = RandomWalker(halves, SIZE).walk(prior, [(4, 3, 0)])
    assert (found[0, :, :6] > 0.5).all()
    assert found[0, 4, 3] > found[0, 4, 5] > found[0, 0, 0] - 1e-3
    np.testing.assert_allclose(found[0, :, 6:], 0.4, atol=5e-3)


def test_a_constant_prior_without_clicks_stays_as_it_is(mosaic):
    prior = np.stack([np.full(SIZE, share) for share in (0.2, 0.3, 0.5)]).astype(np.float32)
    np.testing.assert_allclose(RandomWalker(mosaic, SIZE).walk(prior, []), prior, atol=2e-3)


def test_the_result_does_not_depend_on_where_the_iterations_start(mosaic):
    walker, prior, clicks = RandomWalker(mosaic, SIZE), some_prior(), CLICKS["several"]
    found = walker.walk(prior, clicks)
    for start in (found, some_prior(1), walker.walk(prior, CLICKS["one click"])):
        np.testing.assert_allclose(walker.walk(prior, clicks, start), found, atol=1e-2)


@pytest.mark.parametrize("size", [SIZE, (1, 5), (5, 1), (1, 1)])
def test_the_laplacian_of_a_grid_has_rows_that_sum_to_0(mosaic, size):
    laplacian = grid_laplacian(mosaic, size).toarray()
    assert laplacian.shape == (size[0] * size[1],) * 2
    np.testing.assert_allclose(laplacian.sum(1), 0, atol=1e-6)
    np.testing.assert_array_equal(laplacian, laplacian.T)
    assert (laplacian - np.diag(laplacian.diagonal()) <= 0).all()


def test_neighbours_of_one_colour_are_joined_by_1_and_those_across_an_edge_hardly(halves):
    laplacian = grid_laplacian(halves, (2, 4)).toarray()  # 0 1 | 2 3 above 4 5 | 6 7
    joined = -np.round(laplacian - np.diag(laplacian.diagonal()), 4)
    expected = np.zeros((8, 8))
    for one, two in ((0, 1), (2, 3), (4, 5), (6, 7), (0, 4), (1, 5), (2, 6), (3, 7)):
        expected[one, two] = expected[two, one] = 1
    np.testing.assert_array_equal(joined, expected)
    assert laplacian[1, 2] < 0  # hardly, but all cells are connected
