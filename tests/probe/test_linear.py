"""The linear probe."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from weclick.probe.features import Features
from weclick.probe.linear import ADAPTED_DECAY, DECAY, LinearProbe


def blobs(counts, spread=0.3, seed=0):
    """Return points around one centre per class, (N, 2), and their classes."""
    centres = torch.tensor([[2.0, 0.0], [-1.0, 2.0], [-1.0, -2.0]])
    generator = torch.Generator().manual_seed(seed)
    ids = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return centres[ids] + spread * torch.randn(len(ids), 2, generator=generator), ids


def scores(probe, points):
    parameters = torch.from_numpy(probe.parameters)
    return points @ parameters[:, :-1].T + parameters[:, -1]


def steepness(parameters, points, ids, weights, decay, origin=0.0):
    """Return the largest slope of the documented objective, which is 0 at its minimum."""
    found = torch.tensor(parameters, dtype=torch.float64, requires_grad=True)
    logits = points.double() @ found[:, :-1].T + found[:, -1]
    losses = F.cross_entropy(logits, ids, reduction="none")
    ((weights * losses).sum() + decay / 2 * (found - origin).square().sum()).backward()
    return found.grad.abs().max().item()


def test_classes_that_can_be_separated_are_separated():
    points, ids = blobs([40, 5, 20])
    probe = LinearProbe.untrained(3, 2).fitted(points, ids)
    assert probe.parameters.dtype == np.float32 and probe.parameters.shape == (3, 3)
    assert torch.equal(scores(probe, points).argmax(1), ids)


def test_the_fitted_probe_minimises_its_objective():
    points, ids = blobs([12, 3, 5], spread=1.5)
    probe = LinearProbe.untrained(4, 2).fitted(points, ids)  # nobody clicked on the fourth class
    weights = 20 / 3 / torch.tensor([12.0, 3.0, 5.0])[ids]
    assert weights.sum().item() == pytest.approx(20)
    assert steepness(probe.parameters, points, ids, weights, DECAY) < 0.02
    assert steepness(0 * probe.parameters, points, ids, weights, DECAY) > 1


def test_the_weight_of_a_class_does_not_depend_on_its_number_of_clicks():
    """Only the number of all clicks counts, and it counts against the decay."""
    points = torch.tensor([[1.0, 0.5], [-0.5, 1.0]])
    fits = []
    for first, second in ((1, 7), (4, 4), (7, 1)):
        ids = torch.repeat_interleave(torch.tensor([0, 1]), torch.tensor([first, second]))
        fits.append(LinearProbe.untrained(2, 2).fitted(points[ids], ids).parameters)
    np.testing.assert_allclose(fits[0], fits[1], atol=2e-3)
    np.testing.assert_allclose(fits[2], fits[1], atol=2e-3)


def test_more_clicks_of_one_class_do_not_move_the_border_between_mirrored_clicks():
    for copies in (1, 30):
        points = torch.tensor([[-1.0, 0.3]] * copies + [[1.0, 0.3]])
        ids = torch.tensor([0] * copies + [1])
        on_border = scores(LinearProbe.untrained(2, 2).fitted(points, ids), torch.tensor([[0.0, 0.3]]))
        assert on_border.softmax(1)[0, 0].item() == pytest.approx(0.5, abs=5e-3)


def test_fitting_further_from_a_fitted_probe_changes_little():
    points, ids = blobs([12, 3, 5], spread=1.5)
    once = LinearProbe.untrained(3, 2).fitted(points, ids)
    np.testing.assert_allclose(once.fitted(points, ids).parameters, once.parameters, atol=2e-2)
    few = LinearProbe.untrained(3, 2).fitted(points, ids, steps=2)
    np.testing.assert_allclose(few.fitted(points, ids).parameters, once.parameters, atol=2e-2)


def test_without_clicks_on_the_frame_the_adapted_probe_is_the_shared_one():
    probe = LinearProbe.untrained(3, 2).fitted(*blobs([4, 4, 4]))
    assert probe.adapted(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)) is probe


def test_a_click_on_a_wrong_place_corrects_it_and_leaves_the_shared_probe_as_it_is():
    points, ids = blobs([4, 4, 4])
    probe = LinearProbe.untrained(3, 2).fitted(points, ids)
    before, place = probe.parameters.copy(), torch.tensor([[1.2, 0.4]])
    assert scores(probe, place).argmax() == 0
    adapted = probe.adapted(place, torch.tensor([2]))
    assert scores(adapted, place).argmax() == 2
    assert np.array_equal(probe.parameters, before)


def test_a_click_that_agrees_with_the_probe_changes_it_less_than_one_that_does_not():
    points, ids = blobs([9, 9, 9])
    probe = LinearProbe.untrained(3, 2).fitted(points, ids)
    place = torch.tensor([[2.0, 0.0]])
    moved = [
        np.linalg.norm(probe.adapted(place, torch.tensor([class_id])).parameters - probe.parameters)
        for class_id in (0, 1)
    ]
    assert moved[0] < 0.2 * moved[1]


def test_the_adapted_probe_minimises_its_objective():
    probe = LinearProbe.untrained(3, 2).fitted(*blobs([4, 4, 4]))
    points, ids = blobs([3, 1, 2], spread=2.0, seed=1)
    adapted, origin = probe.adapted(points, ids), torch.from_numpy(probe.parameters)
    weights = 2 / torch.tensor([3.0, 1.0, 2.0])[ids]  # three classes, six clicks
    slopes = [steepness(p.parameters, points, ids, weights, ADAPTED_DECAY, origin) for p in (adapted, probe)]
    assert slopes[0] < 0.02 < slopes[1]


def some_maps():
    generator = torch.Generator().manual_seed(0)
    return Features([torch.randn(shape, generator=generator).half() for shape in ((5, 8, 12), (3, 2, 5))], (32, 48))


@pytest.mark.parametrize("size", [(16, 24), (8, 12), (7, 5), (32, 48)])
def test_classifying_maps_at_their_own_size_equals_classifying_resized_maps(size):
    features = some_maps()
    probe = LinearProbe(np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32))
    found = probe.probabilities(features, size)
    assert found.shape == (4, *size) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    resized = torch.cat([F.interpolate(own[None].float(), size=size, mode="bilinear")[0] for own in features.maps])
    expected = scores(probe, resized.flatten(1).T).softmax(1).T.reshape(4, *size)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_at_the_centre_of_a_cell_the_probabilities_are_those_of_its_features():
    features = some_maps()
    probe = LinearProbe(np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32))
    points = [(4 * column + 1.5, 4 * row + 1.5) for row, column in np.ndindex(8, 12)]
    expected = scores(probe, features.at(points)).softmax(1)
    np.testing.assert_allclose(probe.probabilities(features, (8, 12)).reshape(4, -1).T, expected, atol=1e-4)


def test_an_untrained_probe_prefers_no_class():
    assert (LinearProbe.untrained(4, 8).probabilities(some_maps(), (3, 4)) == 0.25).all()
