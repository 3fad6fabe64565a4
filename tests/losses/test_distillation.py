import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.errors import ShapeError
from weclick.losses.distillation import at_temperature, distillation

TAUS = st.floats(0.5, 8)
SEEDS = st.integers(0, 2**31)


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_value_by_hand():
    logits = torch.tensor([0.0, 0.0]).view(1, 2, 1, 1)
    soft_label = torch.tensor([0.75, 0.25]).view(1, 2, 1, 1)
    kl = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert distillation(logits, soft_label, torch.ones(1, 1, 1, 1)).item() == pytest.approx(kl)
    assert distillation(logits, soft_label, torch.full((1, 1, 1, 1), 0.3)).item() == pytest.approx(kl)


def test_temperature_by_hand():
    logits = torch.tensor([math.log(16.0), 0.0]).view(1, 2, 1, 1)  # at tau 2: (4/5, 1/5)
    soft_label = torch.tensor([0.9, 0.1]).view(1, 2, 1, 1)  # at tau 2: (3/4, 1/4)
    kl = 0.75 * math.log(0.75 / 0.8) + 0.25 * math.log(0.25 / 0.2)
    value = distillation(logits, soft_label, torch.ones(1, 1, 1, 1), temperature=2.0)
    assert value.item() == pytest.approx(4 * kl, rel=1e-5)


@settings(deadline=None, max_examples=30)
@given(SEEDS, TAUS)
def test_equals_tau_squared_kl_of_softened_logits(seed, tau):
    student, teacher = random(seed, 2, 5, 3, 4), random(seed + 1, 2, 5, 3, 4)
    p, q = (teacher / tau).softmax(1), (student / tau).softmax(1)
    by_hand = tau**2 * (p * (p.log() - q.log())).sum(1).mean()
    value = distillation(student, teacher.softmax(1), torch.ones(2, 1, 3, 4), temperature=tau)
    torch.testing.assert_close(value, by_hand, rtol=1e-3, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(SEEDS, TAUS)
def test_softening_probabilities_equals_softening_logits(seed, tau):
    logits = random(seed, 2, 4, 3, 3)
    torch.testing.assert_close(at_temperature(logits.softmax(1), tau), (logits / tau).softmax(1), rtol=1e-4, atol=1e-6)


def test_pixels_without_soft_label_stay_zero_at_any_temperature():
    for tau in (1.0, 2.0):
        assert torch.equal(at_temperature(torch.zeros(1, 3, 2, 2), tau), torch.zeros(1, 3, 2, 2))


def test_quantised_soft_labels_are_renormalised():
    soft_label = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1)
    logits = torch.tensor([math.log(2.0), 0.0]).view(1, 2, 1, 1)
    assert distillation(logits, soft_label, torch.ones(1, 1, 1, 1)).item() == pytest.approx(0, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(SEEDS)
def test_is_never_negative_and_zero_only_where_student_and_teacher_agree(seed):
    teacher = random(seed, 1, 4, 3, 3)
    weight = torch.ones(1, 1, 3, 3)
    assert distillation(teacher, teacher.softmax(1), weight).item() == pytest.approx(0, abs=1e-6)
    assert distillation(random(seed + 1, 1, 4, 3, 3), teacher.softmax(1), weight).item() > 0


def test_zero_weight_everywhere_gives_zero_loss_and_zero_gradient():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = distillation(logits, torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4), temperature=2.0)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_gradient_reaches_only_pixels_with_weight():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    weight = torch.zeros(1, 1, 4, 4)
    weight[0, 0, 1, 2] = 1
    distillation(logits, torch.randn(1, 3, 4, 4).softmax(1), weight).backward()
    assert (logits.grad.abs().sum(1)[0] > 0).nonzero().tolist() == [[1, 2]]


def test_one_hot_soft_labels_are_cross_entropy():
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    one_hot = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    value = distillation(logits, one_hot, torch.ones(2, 1, 4, 4))
    torch.testing.assert_close(value, torch.nn.functional.cross_entropy(logits, labels))


def test_logits_of_any_stride_are_resized_to_the_soft_label():
    logits = torch.randn(1, 3, 2, 3)
    resized = torch.nn.functional.interpolate(logits, size=(8, 12), mode="bilinear", align_corners=False)
    soft_label, weight = torch.randn(1, 3, 8, 12).softmax(1), torch.rand(1, 1, 8, 12)
    torch.testing.assert_close(distillation(logits, soft_label, weight), distillation(resized, soft_label, weight))


@pytest.mark.parametrize(
    ("logits", "soft_label", "weight"),
    [
        ((1, 4, 2, 2), (1, 3, 2, 2), (1, 1, 2, 2)),
        ((1, 3, 2, 2), (1, 3, 2, 2), (1, 1, 2, 3)),
        ((2, 3, 2, 2), (1, 3, 2, 2), (1, 1, 2, 2)),
        ((2, 3, 2, 2), (2, 3, 2, 2), (2, 2, 2)),
        ((2, 3, 2, 2), (2, 3, 2, 2), (1, 1, 2, 2)),
    ],
    ids=["classes", "size", "batch", "weight without channel", "weight of another batch"],
)
def test_shapes_that_do_not_fit_are_refused_by_name(logits, soft_label, weight):
    with pytest.raises(ShapeError, match="do not fit together") as refusal:
        distillation(torch.zeros(logits), torch.zeros(soft_label), torch.zeros(weight))
    for shape in (logits, soft_label, weight):
        assert str(shape) in str(refusal.value)
