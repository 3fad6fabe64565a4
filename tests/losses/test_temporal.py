import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.errors import ShapeError
from weclick.flow import warp_to_target
from weclick.losses.temporal import SIGMA, temporal_loss, visibility

SEEDS = st.integers(0, 2**31)


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ones(batch=1, height=2, width=3):
    return torch.ones(batch, 1, height, width)


def test_value_by_hand():
    here = torch.tensor([0.75, 0.25]).view(1, 2, 1, 1)
    warped = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1)
    assert temporal_loss(here, warped, torch.ones(1, 1, 1, 1)).item() == pytest.approx(0.25)
    # V stands inside the square
    assert temporal_loss(here, warped, torch.full((1, 1, 1, 1), 0.5)).item() == pytest.approx(0.0625)


def test_invisible_pixels_count_in_the_mean():
    here, warped = torch.ones(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    visible = ones(height=2, width=2)
    visible[..., 0] = 0
    assert temporal_loss(here, warped, visible).item() == pytest.approx(0.5)


@settings(deadline=None, max_examples=30)
@given(SEEDS)
def test_identical_predictions_under_zero_flow_cost_nothing(seed):
    here = random(seed, 2, 4, 3, 5).softmax(1)
    warped, inside = warp_to_target(here, torch.zeros(2, 2, 3, 5))
    assert temporal_loss(here, warped, inside.float()).item() == pytest.approx(0, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(SEEDS)
def test_the_loss_lies_between_0_and_1(seed):
    here, warped = (random(seed + i, 2, 4, 3, 5).mul(9).softmax(1) for i in (0, 1))
    assert 0 < temporal_loss(here, warped, ones(2, 3, 5)).item() <= 0.5  # 2 / C for certain and opposite


def test_the_gradient_flows_to_both_frames_where_they_are_visible():
    logits = [random(seed, 1, 3, 2, 3).requires_grad_() for seed in (0, 1)]
    visible = ones()
    visible[0, 0, 1, 2] = 0
    temporal_loss(*(maps.softmax(1) for maps in logits), visible).backward()
    for maps in logits:
        assert torch.equal(maps.grad.abs().sum(1, keepdim=True) > 0, visible > 0)


@pytest.mark.parametrize("batch", [0, 2])
def test_no_target_or_nothing_visible_gives_zero_loss_and_zero_gradient(batch):
    logits = torch.randn(2, 3, 2, 3, requires_grad=True)
    here = logits.softmax(1)[:batch]
    loss = temporal_loss(here, torch.zeros_like(here), 0 * ones(batch))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize(
    ("here", "warped", "visible"),
    [
        ((1, 3, 2, 2), (1, 4, 2, 2), (1, 1, 2, 2)),
        ((1, 3, 2, 2), (1, 3, 2, 4), (1, 1, 2, 2)),
        ((2, 3, 2, 2), (2, 3, 2, 2), (1, 1, 2, 2)),
        ((2, 3, 2, 2), (2, 3, 2, 2), (2, 3, 2, 2)),
    ],
    ids=["classes", "size", "batch", "V with classes"],
)
def test_shapes_that_do_not_fit_are_refused_by_name(here, warped, visible):
    with pytest.raises(ShapeError, match="do not fit together") as refusal:
        temporal_loss(torch.zeros(here), torch.zeros(warped), torch.zeros(visible))
    for shape in (here, warped, visible):
        assert str(shape) in str(refusal.value)


def test_visibility_by_hand():
    images, warped = torch.full((1, 3, 1, 2), 0.5), torch.full((1, 3, 1, 2), 0.5)
    warped[0, 0, 0, 1] += 0.0229
    assert visibility(images, warped).flatten().tolist() == pytest.approx([1.0, math.exp(-0.1)], rel=1e-5)
    assert torch.equal(visibility(warped, images), visibility(images, warped))


def test_only_brightness_counts():
    images = torch.full((1, 3, 1, 1), 0.5)
    other = images + 0.1 * torch.tensor([SIGMA[0], -SIGMA[1], 0.0]).view(1, 3, 1, 1)
    assert visibility(images, other).item() == pytest.approx(1, abs=1e-5)


def test_nothing_is_visible_where_nothing_matches():
    black, white = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    assert visibility(black, white).max() < 1e-5
    here, warped = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(2, 1, 2, 1, 1).expand(-1, -1, -1, 2, 2)
    assert temporal_loss(here, warped, visibility(black, white)).item() < 1e-9
