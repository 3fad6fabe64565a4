"""The random walker moves borders to edges of colour, and holds the clicks."""

import numpy as np
import pytest
from numpy.linalg import solve

from weclick.memory.item import MemoryItem
from weclick.memory.refine import refine
from weclick.probe.walker import BETA, GAMMA


def item_of(probabilities):
    levels = np.round(255 * np.sqrt(np.asarray(probabilities, float))).astype(np.uint8)
    return MemoryItem(levels, levels, np.full((1, *levels.shape[1:]), 255, np.uint8))


def probabilities(levels):
    return (levels / 255.0) ** 2


def picture(border, height=16, width=32):
    """Dark left of a border, bright right of it; the grid has a quarter of its sides."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[:, border:] = 200
    return image


def test_a_border_moves_to_the_edge_of_colour():
    soft = np.full((2, 4, 8), 0.0)
    soft[0], soft[0, :, 6:] = 0.7, 0.3  # the teacher puts the border at column 6, the picture at 4
    soft[1] = 1 - soft[0]
    refined = refine(item_of(soft), picture(16), [(1, 1, 0), (1, 5, 1)])
    assert (refined.teacher.argmax(0) == (np.arange(8) >= 4)).all()
    assert (refined.memory.argmax(0) == (np.arange(8) >= 4)).all()


def test_without_edges_and_clicks_a_constant_label_stays():
    soft = np.stack([np.full((4, 8), 0.8), np.full((4, 8), 0.2)])
    refined = refine(item_of(soft), np.full((16, 32, 3), 90, np.uint8), [])
    np.testing.assert_allclose(probabilities(refined.teacher), soft, atol=0.01)


def test_the_sum_of_a_cell_stays():
    """Connecting lowers the sum where it no longer believes the label; that is the cell's weight in the losses."""
    soft = np.random.default_rng(0).dirichlet([1, 1, 1], (4, 8)).transpose(2, 0, 1)
    believed = np.linspace(0, 1, 8)[None, None]
    refined = refine(item_of(soft * believed), picture(12), [(0, 0, 1)])
    np.testing.assert_allclose(probabilities(refined.teacher).sum(0), np.broadcast_to(believed[0], (4, 8)), atol=0.02)


def test_the_value_of_two_cells_by_hand():
    """Two cells a, b of one colour: (1 + g) a - b = g p_a and (1 + g) b - a = g p_b."""
    refined = refine(item_of([[[1.0, 0.0]], [[0.0, 1.0]]]), np.full((4, 8, 3), 90, np.uint8), [])
    expected = solve([[1 + GAMMA, -1], [-1, 1 + GAMMA]], [GAMMA, 0])
    np.testing.assert_allclose(probabilities(refined.teacher)[0, 0], expected, atol=0.005)


def test_an_edge_weighs_by_its_step_in_lab():
    """Grey levels 90 and 100 are a step of 4.07 in lightness, and none in colour."""
    image = np.repeat(np.repeat(np.array([[90, 100]], np.uint8), 4, 0), 4, 1)[..., None].repeat(3, 2)
    weight = np.exp(-BETA * 4.07**2)
    refined = refine(item_of([[[1.0, 0.0]], [[0.0, 1.0]]]), image, [])
    expected = solve([[weight + GAMMA, -weight], [-weight, weight + GAMMA]], [GAMMA, 0])
    np.testing.assert_allclose(probabilities(refined.teacher)[0, 0], expected, atol=0.01)


def test_cells_without_a_soft_label_stay_empty_and_take_nothing_from_their_neighbours():
    soft = np.stack([np.full((4, 8), 0.9), np.full((4, 8), 0.1)])
    soft[:, :, 4:] = 0
    refined = probabilities(refine(item_of(soft), np.full((16, 32, 3), 90, np.uint8), []).teacher)
    np.testing.assert_allclose(refined[:, :, :4], soft[:, :, :4], atol=0.02)
    assert not refined[:, :, 4:].any()


def test_clicked_cells_hold_their_class_and_shared_ones_are_divided():
    soft = np.stack([np.full((4, 8), 0.9), np.full((4, 8), 0.1)])
    refined = refine(item_of(soft), picture(16), [(2, 6, 1), (0, 0, 0), (3, 3, 0), (3, 3, 1)])
    held = probabilities(refined.teacher)
    assert held[1, 2, 6] == pytest.approx(1, abs=0.02)
    assert held[1, 3, 3] == pytest.approx(0.5, abs=0.02)
