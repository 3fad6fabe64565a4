import pytest
import torch

from weclick.conventions import IGNORE_INDEX
from weclick.losses import Step
from weclick.losses.cross_entropy import balanced_cross_entropy
from weclick.losses.hard_labels import hard_labels
from weclick.losses.terms import HardLabels
from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels


def two_pixels():
    """Soft labels (1, 2, 1, 3): sure of class 0, unsure, sure of class 1."""
    return torch.tensor([[[[0.9, 0.4, 0.1]], [[0.1, 0.3, 0.8]]]])


def test_the_most_probable_class_is_the_label_where_it_is_probable_enough():
    everywhere = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    assert hard_labels(two_pixels(), everywhere, 0.5).tolist() == [[[0, IGNORE_INDEX, 1]]]
    assert hard_labels(two_pixels(), everywhere, 0.85).tolist() == [[[0, IGNORE_INDEX, IGNORE_INDEX]]]


def test_pixels_without_a_soft_label_are_ignored():
    valid = torch.tensor([[[[False, True, True]]]])
    assert hard_labels(two_pixels(), valid, 0.0).tolist() == [[[IGNORE_INDEX, 0, 1]]]


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_the_term_is_cross_entropy_with_the_memorys_labels(balance):
    memory = Memory(two_pixels(), torch.tensor([[[[0.5, 1.0, 0.0]]]]))
    logits = torch.randn(1, 2, 1, 3)
    step = Step(logits, {"soft_labels": SoftLabels(two_pixels(), memory)}, lambda images: logits)
    expected = balanced_cross_entropy(logits, torch.tensor([[[0, IGNORE_INDEX, IGNORE_INDEX]]]), balance)
    torch.testing.assert_close(HardLabels(1.0, balance=balance)(step), expected)


def test_nothing_sure_gives_zero_loss_and_zero_gradient():
    logits = torch.randn(1, 2, 1, 3, requires_grad=True)
    memory = Memory(two_pixels(), torch.zeros(1, 1, 1, 3))
    loss = HardLabels(1.0)(Step(logits, {"soft_labels": SoftLabels(two_pixels(), memory)}, lambda images: logits))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
