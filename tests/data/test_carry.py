"""Clicks carried from frame to frame: they follow the flow, and are dropped where it is not reliable."""

import numpy as np
import torch

from weclick.data.carry import ClickCarrier

CLICKS = np.array([[10.2, 8.0, 3.0], [60.0, 20.0, 1.0]], np.float32)


class Shift:
    """All pixels move by (dx, dy) to the brighter image."""

    name = "shift"

    def __init__(self, dx, dy, back=-1):
        self.motion, self.back = torch.tensor([dx, dy]).float().view(1, 2, 1, 1), back

    def __call__(self, target, neighbour):
        sign = 1 if target.mean() < neighbour.mean() else self.back
        return (sign * self.motion).expand(1, 2, *target.shape[-2:]).clone()


def carried(flow, clicks=CLICKS):
    dark, bright = (np.full((32, 64, 3), level, np.uint8) for level in (10, 200))
    return ClickCarrier(flow)(clicks, dark, bright)


def test_clicks_move_with_the_flow():
    np.testing.assert_allclose(carried(Shift(-4, 2)), [[6.2, 10.0, 3.0], [56.0, 22.0, 1.0]], atol=1e-5)


def test_clicks_that_leave_the_frame_are_dropped():
    np.testing.assert_allclose(carried(Shift(6, 0)), [[16.2, 8.0, 3.0]], atol=1e-5)


def test_clicks_whose_flow_does_not_lead_back_are_dropped():
    assert len(carried(Shift(5, 0, back=1))) == 0


def test_without_clicks_none_are_carried():
    assert carried(Shift(1, 1), CLICKS[:0]).shape == (0, 3)


def test_dis_follows_a_moved_texture():
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(0, 255, (24, 32, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    moved = np.roll(texture, 3, axis=1)
    np.testing.assert_allclose(ClickCarrier()(CLICKS, texture, moved)[:, 0], [13.2, 63.0], atol=0.5)
