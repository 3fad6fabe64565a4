import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from weclick.conventions import IGNORE_INDEX
from weclick.losses.cross_entropy import balanced_cross_entropy, partial_cross_entropy


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(2, 6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_equals_dense_cross_entropy_when_every_pixel_is_clicked(batch, classes, height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, classes, height, width, generator=generator)
    labels = torch.randint(0, classes, (batch, height, width), generator=generator)
    torch.testing.assert_close(partial_cross_entropy(logits, labels), F.cross_entropy(logits, labels))


def test_no_click_gives_zero_loss_and_zero_gradient():
    logits = torch.randn(2, 4, 3, 5, requires_grad=True)
    loss = partial_cross_entropy(logits, torch.full((2, 12, 20), IGNORE_INDEX))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_value_by_hand():
    logits = torch.tensor([[[[math.log(3.0), 0.0]], [[0.0, 0.0]]]])  # p = (3/4, 1/4) and (1/2, 1/2)
    labels = torch.tensor([[[0, 1]]])
    assert partial_cross_entropy(logits, labels).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    assert partial_cross_entropy(logits, torch.tensor([[[1, IGNORE_INDEX]]])).item() == pytest.approx(math.log(4))


def test_clicks_have_the_same_weight_on_every_image():
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.full((2, 4, 4), IGNORE_INDEX)
    labels[0, 0, 0], labels[0, 1, 1], labels[1, 2, 2] = 0, 1, 2
    values = -logits.log_softmax(1)
    by_hand = (values[0, 0, 0, 0] + values[0, 1, 1, 1] + values[1, 2, 2, 2]) / 3
    torch.testing.assert_close(partial_cross_entropy(logits, labels), by_hand)


def test_gradient_reaches_clicked_pixels_only():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    labels = torch.full((1, 4, 4), IGNORE_INDEX)
    labels[0, 1, 2] = 2
    partial_cross_entropy(logits, labels).backward()
    touched = logits.grad.abs().sum(1)[0] > 0
    assert touched.nonzero().tolist() == [[1, 2]]


def test_logits_of_any_stride_are_resized_to_the_labels():
    logits, labels = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 16, 20))
    resized = F.interpolate(logits, size=(16, 20), mode="bilinear", align_corners=False)
    torch.testing.assert_close(partial_cross_entropy(logits, labels), F.cross_entropy(resized, labels))


def test_half_precision_logits_are_summed_in_float32():
    loss = partial_cross_entropy(torch.zeros(1, 2, 64, 64, dtype=torch.bfloat16), torch.zeros(1, 64, 64).long())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)


def test_balanced_gives_each_clicked_class_of_an_image_the_same_weight():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.full((2, 4, 4), 255)
    labels[0, 0, :3], labels[0, 3, 3], labels[1, 2, 2] = 0, 2, 2
    loss = -logits.log_softmax(1)
    by_hand = (loss[0, 0, 0, :3].mean() + loss[0, 2, 3, 3] + loss[1, 2, 2, 2]) / 3
    torch.testing.assert_close(balanced_cross_entropy(logits, labels), by_hand)


def test_balanced_equals_partial_with_one_class_in_each_of_equally_clicked_images():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.full((2, 4, 4), 255)
    labels[0, 1, :2], labels[1, :2, 3] = 1, 2
    torch.testing.assert_close(balanced_cross_entropy(logits, labels), partial_cross_entropy(logits, labels))


def test_balanced_without_labels_is_zero_and_has_zero_gradient():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = balanced_cross_entropy(logits, torch.full((1, 8, 8), 255))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("loss", [partial_cross_entropy, balanced_cross_entropy])
def test_few_and_many_labelled_pixels_are_computed_alike(loss, monkeypatch):
    logits = torch.randn(2, 5, 6, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.full((2, 24, 32), IGNORE_INDEX)
    labels[0, 3:6, 7:9], labels[1, 23, 31], labels[1, 0, 0] = 2, 4, 0
    results = []
    for few in (16, 10**9):  # at the pixels alone, then everywhere
        monkeypatch.setattr("weclick.losses.cross_entropy._FEW", few)
        value = loss(logits, labels)
        results.append((value.detach(), torch.autograd.grad(value, logits)[0]))
    torch.testing.assert_close(*results)


def test_balance_by_hand():
    # one image: four pixels of class 0 with loss log 2, one of class 1 with loss log 4
    logits = torch.zeros(1, 4, 1, 5)
    logits[0, 2:, 0, :4] = -100.0
    labels = torch.tensor([[[0, 0, 0, 0, 1]]])
    for balance, expected in ((0.0, (4 * 1 + 2) / 5), (0.5, (4 / 2 * 1 + 2) / (4 / 2 + 1)), (1.0, (1 + 2) / 2)):
        value = balanced_cross_entropy(logits, labels, balance).item() / math.log(2)
        assert value == pytest.approx(expected), balance


def test_only_the_hardest_pixels_of_each_image_count():
    logits = torch.tensor([[[[0.0, 4.0, 0.0, 2.0]], [[0.0, 0.0, 3.0, 0.0]]]])
    labels = torch.zeros(1, 1, 4, dtype=torch.long)  # losses log 2, near 0, above 3, between
    losses = -logits.log_softmax(1)[0, 0, 0]
    value = balanced_cross_entropy(logits, labels, 0.0, hardest=0.5)
    assert value.item() == pytest.approx(((losses[2] + losses[0]) / 2).item())
    assert balanced_cross_entropy(logits, labels, 0.0).item() == pytest.approx(losses.mean().item())


def test_the_hardest_pixels_do_not_depend_on_how_a_batch_is_divided():
    logits, labels = 5 * torch.randn(2, 3, 6, 6), torch.randint(0, 3, (2, 6, 6))
    whole = balanced_cross_entropy(logits, labels, 0.0, hardest=0.25)
    parts = [balanced_cross_entropy(logits[i : i + 1], labels[i : i + 1], 0.0, hardest=0.25) for i in (0, 1)]
    torch.testing.assert_close(whole, sum(parts) / 2)


def test_no_label_gives_zero_loss_with_the_hardest_pixels_too():
    labels = torch.full((2, 6, 6), IGNORE_INDEX)
    assert balanced_cross_entropy(torch.randn(2, 3, 6, 6), labels, 1.0, hardest=0.25).item() == 0
