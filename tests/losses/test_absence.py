import math

import pytest
import torch

from weclick.losses.absence import absence


def present(*rows):
    return torch.tensor(rows, dtype=torch.bool)


def test_value_by_hand():
    probabilities = torch.tensor([0.5, 0.3, 0.2])
    logits = probabilities.log().reshape(1, 3, 1, 1).expand(1, 3, 2, 5)
    assert absence(logits, present([1, 0, 1])).item() == pytest.approx(-torch.tensor(0.7).log().item())


def test_it_is_zero_where_every_class_is_present():
    assert absence(torch.randn(2, 3, 4, 4), present([1, 1, 1], [1, 1, 1])).item() == pytest.approx(0, abs=1e-6)


def test_for_unlikely_classes_it_is_the_sum_over_absent_classes():
    logits = torch.tensor([6.0, 0.0, 0.5, 5.0]).reshape(1, 4, 1, 1)
    loss = absence(logits, present([1, 0, 0, 1]))
    alone = -(1 - logits.softmax(1)[:, 1:3]).log().sum()
    assert loss.item() == pytest.approx(alone.item(), rel=1e-2)


def test_a_network_certain_of_an_absent_class_has_a_gradient():
    logits = torch.tensor([200.0, 0.0]).reshape(1, 2, 1, 1).requires_grad_()
    loss = absence(logits, present([0, 1]))
    loss.backward()
    assert loss.item() == pytest.approx(200)
    torch.testing.assert_close(logits.grad.flatten(), torch.tensor([1.0, -1.0]))


def test_frames_with_unknown_classes_are_left_out():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    one = absence(logits[:1], present([1, 0, 0]))
    torch.testing.assert_close(absence(logits, present([1, 0, 0], [0, 0, 0])), one)


def test_unknown_classes_everywhere_give_zero_and_zero_gradient():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = absence(logits, present([0, 0, 0], [0, 0, 0]))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_pixels_outside_of_the_frame_do_not_count():
    logits = torch.zeros(1, 4, 1, 2)
    logits[0, 0, 0, 0] = 20.0  # certain of the only present class inside; undecided in the border
    inside = torch.tensor([[[[True, False]]]])
    present = torch.tensor([[True, False, False, False]])
    assert absence(logits, present, inside).item() == pytest.approx(0, abs=1e-6)
    assert absence(logits, present).item() == pytest.approx(math.log(4) / 2, abs=1e-6)


def test_with_nothing_inside_it_is_0_without_gradient():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    present = torch.tensor([[True, False, False], [False, True, False]])
    loss = absence(logits, present, torch.zeros(2, 1, 4, 4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
