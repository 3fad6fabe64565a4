"""Warping along flow: identity, rolls, brute-force bilinear, gradients, refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.errors import ShapeError
from weclick.flow import resize_flow, warp_to_target


def constant_flow(dx, dy, size, batch=1):
    return torch.tensor([float(dx), float(dy)]).view(1, 2, 1, 1).expand(batch, 2, *size).clone()


def bilinear_by_hand(source, flow):
    """Return warped (C, H, W) and inside (H, W), one pixel at a time."""
    height, width = source.shape[1:]
    warped, inside = np.zeros_like(source, np.float64), np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            x, y = column + float(flow[0, row, column]), row + float(flow[1, row, column])
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                continue
            inside[row, column] = True
            left, top = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
            for corner_y in {top, min(top + 1, height - 1)}:
                for corner_x in {left, min(left + 1, width - 1)}:
                    share = (1 - abs(x - corner_x)) * (1 - abs(y - corner_y))
                    warped[:, row, column] += share * source[:, corner_y, corner_x]
    return warped, inside


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_zero_flow_is_identity(mode):
    source = torch.rand(2, 3, 37, 53)
    warped, inside = warp_to_target(source, torch.zeros(2, 2, 37, 53), mode=mode)
    torch.testing.assert_close(warped, source, atol=1e-5, rtol=0)
    assert inside.all()


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-5, 4)])
def test_integer_flow_is_a_roll(mode, dx, dy):
    source = torch.rand(1, 2, 20, 30)
    warped, inside = warp_to_target(source, constant_flow(dx, dy, (20, 30)), mode=mode)
    rolled = torch.roll(source, (-dy, -dx), dims=(2, 3))
    torch.testing.assert_close(warped.where(inside, rolled), rolled, atol=1e-5, rtol=0)
    assert inside.sum() == (20 - abs(dy)) * (30 - abs(dx))
    assert (warped.where(~inside, 0) == 0).all()


def test_half_a_pixel_is_the_mean_of_two():
    warped, inside = warp_to_target(torch.tensor([[[[0.0, 2.0, 6.0]]]]), constant_flow(0.5, 0, (1, 3)))
    torch.testing.assert_close(warped.flatten(), torch.tensor([1.0, 4.0, 0.0]))
    assert inside.flatten().tolist() == [True, True, False]


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 6), width=st.integers(1, 7), reach=st.floats(0, 9), seed=st.integers(0, 10**6))
def test_bilinear_equals_brute_force(height, width, reach, seed):
    rng = np.random.default_rng(seed)
    source = rng.random((2, height, width)).astype(np.float32)
    flow = rng.uniform(-reach, reach, (2, height, width)).round(3).astype(np.float32)
    warped, inside = warp_to_target(torch.from_numpy(source)[None], torch.from_numpy(flow)[None])
    expected, expected_inside = bilinear_by_hand(source, flow)
    # a sample a rounding error away from the border may fall on either side of it
    x, y = np.arange(width) + flow[0].astype(float), np.arange(height)[:, None] + flow[1].astype(float)
    clear = np.minimum.reduce([abs(x), abs(x - width + 1), abs(y), abs(y - height + 1)]) > 1e-5
    np.testing.assert_array_equal(inside[0, 0].numpy()[clear], expected_inside[clear])
    np.testing.assert_allclose(warped[0].numpy()[:, clear], expected[:, clear], atol=2e-5)


def test_nearest_invents_no_class():
    labels = torch.randint(0, 2, (1, 1, 16, 16)).float() * 7
    warped, _ = warp_to_target(labels, torch.rand(1, 2, 16, 16) * 4 - 2, mode="nearest")
    assert set(warped.unique().tolist()) <= {0.0, 7.0}


def test_gradient_reaches_source_and_flow():
    source = torch.rand(1, 2, 8, 9, dtype=torch.float64, requires_grad=True)
    flow = (torch.rand(1, 2, 8, 9, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s, f: warp_to_target(s, f)[0], (source, flow))


def test_flow_that_is_not_finite_or_huge_is_outside_and_leaves_no_nan():
    flow = torch.zeros(1, 2, 4, 4)
    flow[0, 0, 0, :3] = torch.tensor([float("nan"), float("inf"), 1e30])
    source = torch.ones(1, 1, 4, 4, requires_grad=True)
    warped, inside = warp_to_target(source, flow)
    warped.sum().backward()
    assert inside[0, 0, 0].tolist() == [False, False, False, True]
    assert warped[0, 0, 0, :3].tolist() == [0, 0, 0]
    assert source.grad is not None and source.grad.isfinite().all()


def test_half_precision_maps_are_read_at_the_right_column():
    ramp = torch.arange(1024.0).view(1, 1, 1, -1) / 1024
    warped, _ = warp_to_target(ramp.bfloat16(), constant_flow(1, 0, (1, 1024)))
    assert warped.dtype == torch.bfloat16
    torch.testing.assert_close(warped[..., :-1], ramp.bfloat16()[..., 1:])


@pytest.mark.parametrize("flow_shape", [(1, 2, 8, 8), (2, 2, 8, 9), (2, 3, 8, 8), (2, 8, 8)])
def test_mismatch_names_both_shapes(flow_shape):
    with pytest.raises(ShapeError) as caught:
        warp_to_target(torch.rand(2, 5, 8, 8), torch.zeros(flow_shape))
    assert str(flow_shape) in str(caught.value)
    assert "(2, 5, 8, 8)" in str(caught.value)


def test_class_ids_as_integers_are_refused():
    with pytest.raises(ShapeError, match="floating"):
        warp_to_target(torch.zeros(1, 1, 4, 4, dtype=torch.int64), torch.zeros(1, 2, 4, 4))


def test_resized_flow_scales_each_axis():
    resized = resize_flow(constant_flow(8, 6, (12, 20)), (4, 10))
    torch.testing.assert_close(resized, constant_flow(4, 2, (4, 10)))


def test_resize_to_the_same_size_changes_nothing():
    flow = torch.randn(2, 2, 5, 7)
    torch.testing.assert_close(resize_flow(flow, (5, 7)), flow)


def test_resize_refuses_what_is_no_flow():
    with pytest.raises(ShapeError, match=r"\(1, 3, 4, 4\)"):
        resize_flow(torch.zeros(1, 3, 4, 4), (2, 2))
