"""The forward-backward check: by hand, on a moving square, and on streets with exact flow."""

import pytest
import torch

from weclick.errors import ShapeError
from weclick.flow import reliable, warp_to_target
from weclick.synthetic import SyntheticVideo


def constant_flow(dx, dy, size):
    return torch.tensor([float(dx), float(dy)]).view(1, 2, 1, 1).expand(1, 2, *size).clone()


def test_motion_that_cancels_is_reliable_where_it_stays_inside():
    mask = reliable(constant_flow(3, 0, (6, 10)), constant_flow(-3, 0, (6, 10)))
    assert mask.dtype == torch.bool and mask.shape == (1, 1, 6, 10)
    assert mask[..., :7].all() and not mask[..., 7:].any()


@pytest.mark.parametrize(("back", "expected"), [(-3.2, True), (-3.0, False)])
def test_threshold_of_sundaram_by_hand(back, expected):
    # w = 4: back -3.2 gives 0.64 < 0.01 * (16 + 10.24) + 0.5 = 0.76, back -3 gives 1 > 0.01 * (16 + 9) + 0.5 = 0.75
    mask = reliable(constant_flow(4, 0, (3, 12)), constant_flow(back, 0, (3, 12)))
    assert mask[0, 0, 1, 2].item() is expected


def test_relative_part_forgives_more_on_fast_motion():
    slow = reliable(constant_flow(2, 0, (3, 40)), constant_flow(-1, 0, (3, 40)))
    fast = reliable(constant_flow(20, 0, (3, 40)), constant_flow(-19, 0, (3, 40)))
    assert not slow.any() and fast[..., :20].all()


def test_background_uncovered_by_a_moving_square_is_rejected():
    # a square at columns 10..19 of the target stood at columns 4..13 of the neighbour; the ground rests
    forward, backward = torch.zeros(1, 2, 30, 40), torch.zeros(1, 2, 30, 40)
    forward[:, 0, 10:20, 10:20] = -6
    backward[:, 0, 10:20, 4:14] = 6
    mask = reliable(forward, backward)[0, 0]
    occluded = torch.zeros(30, 40, dtype=torch.bool)
    occluded[10:20, 4:10] = True
    assert torch.equal(mask, ~occluded)


def test_flow_that_is_not_finite_is_unreliable():
    forward = torch.full((1, 2, 4, 4), float("nan"))
    assert not reliable(forward, torch.zeros(1, 2, 4, 4)).any()


def test_flows_of_two_sizes_are_refused():
    with pytest.raises(ShapeError):
        reliable(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_exact_flow_carries_true_labels_on_reliable_pixels_and_most_occlusions_are_caught(seed):
    video = SyntheticVideo(seed, 0, (128, 256))
    flow, visible = video.flow(5, 3)
    forward, backward = torch.from_numpy(flow)[None], torch.from_numpy(video.flow(3, 5).flow)[None]
    labels = {number: torch.from_numpy(video.frame(number).label).float()[None, None] for number in (3, 5)}
    mask = reliable(forward, backward)
    warped, inside = warp_to_target(labels[3], forward, mode="nearest")
    right = (warped == labels[5])[mask].float().mean()
    hidden = ~torch.from_numpy(visible)[None, None]
    assert right > 0.97
    assert right > (warped == labels[5])[inside].float().mean()
    assert (~mask)[hidden].float().mean() > 0.5
    assert mask[~hidden].float().mean() > 0.97
