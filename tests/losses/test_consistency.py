"""Consistency: labels where the averaged network is sure, and images that get a box of another one."""

import math

import pytest
import torch

from weclick.conventions import IGNORE_INDEX
from weclick.losses.consistency import AREA, consistency, random_boxes, sure_labels
from weclick.losses.term import Step
from weclick.losses.terms import Consistency


def logits_of(*probabilities):
    """Return logits (1, C, 1, N) with these probabilities of N pixels."""
    return torch.tensor(probabilities).log().T[None, :, None]


def test_only_sure_pixels_get_a_label():
    logits = logits_of((0.96, 0.04), (0.9, 0.1), (0.01, 0.99))
    labels = sure_labels(logits, torch.tensor([[True, True]]), 0.95)
    assert labels.tolist() == [[[0, IGNORE_INDEX, 1]]]


def test_absent_classes_are_left_out_and_the_rest_is_renormalised():
    logits = logits_of((0.6, 0.39, 0.01))
    assert sure_labels(logits, torch.tensor([[False, True, True]]), 0.95).item() == 1  # 0.39 of 0.40
    assert sure_labels(logits, torch.tensor([[False, False, False]]), 0.55).item() == 0  # classes unknown


def test_few_sure_pixels_weigh_little():
    labels = torch.full((1, 4, 4), IGNORE_INDEX)
    labels[0, 0, 0] = 1
    inside = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    assert consistency(torch.zeros(1, 2, 4, 4), labels, inside).item() == pytest.approx(math.log(2) / 16)
    inside[..., 2:] = False
    assert consistency(torch.zeros(1, 2, 4, 4), labels, inside).item() == pytest.approx(math.log(2) / 8)


def test_nothing_sure_gives_zero_loss_and_zero_gradient():
    logits = torch.randn(2, 3, 2, 2, requires_grad=True)
    loss = consistency(logits, torch.full((2, 4, 4), IGNORE_INDEX), torch.ones(2, 1, 4, 4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_boxes_are_rectangles_of_the_stated_area():
    torch.manual_seed(0)
    boxes = random_boxes(200, (64, 96), 1.0)
    for box in boxes[:, 0]:
        rows, columns = box.any(1), box.any(0)
        assert torch.equal(box, rows[:, None] & columns)
        assert AREA[0] / 2 < box.float().mean() < AREA[1] * 1.1  # sides are rounded to pixels and end at the image's
    assert boxes.flatten(1).float().mean(1).std() > 0.05


def test_images_get_a_box_by_its_share():
    torch.manual_seed(0)
    assert not random_boxes(50, (16, 16), 0.0).any()
    assert 60 < random_boxes(200, (16, 16), 0.5).flatten(1).any(1).sum() < 140


def step_of(images, forward, averaged, inside=None):
    """Return a step whose network tells nothing on the images themselves; all classes may be present."""
    present = torch.ones(len(images), 3, dtype=torch.bool)
    inside = (
        torch.ones(len(images), 1, *(side // 4 for side in images.shape[-2:]), dtype=torch.bool)
        if inside is None
        else inside
    )
    batch = {"image": images, "plain": images, "present": present, "inside": inside}
    return Step(torch.zeros_like(images), batch, forward, averaged=averaged)


def by_colour(images):
    """A network that is sure of each pixel's class: that of its brightest channel."""
    return 100 * images


def test_labels_follow_the_boxes_of_the_images():
    torch.manual_seed(0)
    images = torch.eye(3).view(3, 3, 1, 1).expand(3, 3, 32, 48).clone()  # each of one class
    seen = []

    def forward(mixed):
        seen.append(mixed)
        return by_colour(mixed)

    loss = Consistency(weight=1.0, mix=1.0)(step_of(images, forward, by_colour))
    assert loss.item() < 0.02  # blurred at the edges of boxes alone
    assert not torch.equal(seen[0], images)


def test_without_mixing_the_network_does_not_run_again():
    images = torch.eye(3).view(3, 3, 1, 1).expand(3, 3, 8, 8)
    loss = Consistency(weight=1.0, mix=0.0)(step_of(images, None, by_colour))
    assert loss.item() == pytest.approx(math.log(3))


def test_the_border_of_a_draw_is_not_learned():
    images = torch.eye(3).view(3, 3, 1, 1).expand(3, 3, 8, 8)
    inside = torch.zeros(3, 1, 2, 2, dtype=torch.bool)
    assert Consistency(weight=1.0, mix=0.0)(step_of(images, None, by_colour, inside)).item() == 0


def test_its_weight_rises_from_zero():
    term = Consistency(weight=2.0, ramp=0.5)
    assert [term.weight_at(progress) for progress in (0.0, 0.25, 0.5, 1.0)] == [0.0, 1.0, 2.0, 2.0]
