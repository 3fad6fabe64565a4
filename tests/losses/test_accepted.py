"""Learning from accepted labels."""

import pytest
import torch

from weclick.conventions import IGNORE_INDEX
from weclick.losses import Step
from weclick.losses.cross_entropy import balanced_cross_entropy, partial_cross_entropy
from weclick.losses.terms import AcceptedCrossEntropy


def step(logits, accepted):
    return Step(logits, {"accepted": accepted}, lambda images: logits)


@pytest.fixture
def logits():
    return torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.fixture
def accepted():
    """Accepted labels of two images, most of them of class 0, a quarter without a label."""
    labels = torch.zeros(2, 4, 6, dtype=torch.int64)
    labels[:, 0] = IGNORE_INDEX
    labels[0, 3, :2], labels[1, 2, 5] = 1, 2
    return labels


def test_by_default_all_accepted_pixels_count_the_same(logits, accepted):
    expected = partial_cross_entropy(logits, accepted)
    torch.testing.assert_close(AcceptedCrossEntropy(1.0)(step(logits, accepted)), expected)
    assert not torch.isclose(expected, balanced_cross_entropy(logits, accepted, 1.0))


@pytest.mark.parametrize("balance", [0.5, 1.0])
def test_classes_are_balanced_on_demand(logits, accepted, balance):
    found = AcceptedCrossEntropy(1.0, balance=balance)(step(logits, accepted))
    torch.testing.assert_close(found, balanced_cross_entropy(logits, accepted, balance))


def test_one_pixel_by_hand():
    accepted = torch.tensor([[[IGNORE_INDEX, 1]]])
    found = AcceptedCrossEntropy(1.0)(step(torch.tensor([[[[5.0, 0.0]], [[0.0, 0.0]]]]), accepted))
    torch.testing.assert_close(found, torch.tensor(2.0).log())


def test_targets_without_an_accepted_label_give_zero_loss_and_zero_gradient(logits, accepted):
    loss = AcceptedCrossEntropy(1.0)(step(logits, torch.full_like(accepted, IGNORE_INDEX)))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
