"""Where a flow is reliable: the forward-backward check."""

from __future__ import annotations

from torch import Tensor

from weclick.flow.warp import warp_to_target


def reliable(flow_forward: Tensor, flow_backward: Tensor, *, relative: float = 0.01, absolute: float = 0.5) -> Tensor:
    """Mark target pixels whose flow there and back again nearly cancels and stays inside the neighbour.

    With w the flow at a target pixel and w' the backward flow where it leads, a pixel is reliable if
    ``|w + w'|^2 < relative * (|w|^2 + |w'|^2) + absolute``.

    Shape: both flows (B, 2, H, W), pixels.

    Args:
        flow_forward: Target-to-neighbour flow, on the target grid.
        flow_backward: Neighbour-to-target flow, on the neighbour grid.
        relative: Tolerance growing with the squared motion.
        absolute: Tolerance in squared pixels.

    Returns:
        Bool mask on the target grid, (B, 1, H, W).

    Raises:
        ShapeError: The flows differ in size.

    References:
        Sundaram, Brox, Keutzer: Dense point trajectories by GPU-accelerated large displacement optical flow,
        ECCV 2010, equation (5).
    """
    back, inside = warp_to_target(flow_backward, flow_forward)
    mismatch = _squared(flow_forward + back)
    return (mismatch < relative * (_squared(flow_forward) + _squared(back)) + absolute) & inside


def _squared(flow: Tensor) -> Tensor:
    return flow.square().sum(dim=1, keepdim=True)
