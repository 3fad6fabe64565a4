"""Carry maps along optical flow. Conventions: :mod:`weclick.conventions`."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from weclick.errors import ShapeError

WarpMode = Literal["bilinear", "nearest"]


def warp_to_target(source: Tensor, flow: Tensor, *, mode: WarpMode = "bilinear") -> tuple[Tensor, Tensor]:
    """Carry a neighbour frame's maps onto the target frame along optical flow (backward warping).

    Convention: ``flow`` lives on the target grid, in pixels (dx, dy); target pixel (x, y) reads ``source`` at
    (x + dx, y + dy); integer pixel centres, ``align_corners=True``.

    Shape: ``source`` (B, C, H, W), ``flow`` (B, 2, H, W).

    Args:
        source: Neighbour maps, floating; probabilities, never class ids, for "bilinear".
        flow: Target-to-neighbour flow, pixels.
        mode: "nearest" for maps of class ids.

    Returns:
        Warped maps (B, C, H, W), 0 outside, and ``inside``, bool (B, 1, H, W): False where the sample left the image
        or the flow is not finite.

    Raises:
        ShapeError: Sizes differ; the usual cause is flow computed at another resolution.

    Example:
        >>> ramp = torch.arange(4.0).view(1, 1, 1, 4)
        >>> right = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 4)
        >>> warped, inside = warp_to_target(ramp, right)
        >>> inside.flatten().tolist()
        [True, True, True, False]
    """
    batch, _, height, width = _sizes(source, flow)
    # bfloat16 cannot even number the columns of a 512 pixel image
    work = torch.promote_types(source.dtype, torch.float32)
    x = flow[:, 0].to(work) + torch.arange(width, device=flow.device)
    y = flow[:, 1].to(work) + torch.arange(height, device=flow.device).unsqueeze(1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    grid = torch.stack((_unit(x.where(inside, 0), width), _unit(y.where(inside, 0), height)), -1)
    # "border" only guards samples on the edge against rounding; outside samples are blanked below
    warped = grid_sample(source.to(work), grid, mode=mode, padding_mode="border", align_corners=True)
    inside = inside.view(batch, 1, height, width)
    return warped.where(inside, 0).to(source.dtype), inside


def _unit(places: Tensor, side: int) -> Tensor:
    """Turn 0..side-1 into -1..1, as ``align_corners=True`` counts."""
    return places * (2 / max(side - 1, 1)) - 1


def _sizes(source: Tensor, flow: Tensor) -> tuple[int, int, int, int]:
    if source.ndim != 4 or not source.is_floating_point():
        raise ShapeError(f"maps to warp must be floating (B, C, H, W), found {source.dtype} {tuple(source.shape)}")
    batch, channels, height, width = source.shape
    if tuple(flow.shape) != (batch, 2, height, width):
        raise ShapeError(
            f"flow {tuple(flow.shape)} does not fit maps {tuple(source.shape)}; "
            f"expected {(batch, 2, height, width)}, see resize_flow for flow of another resolution"
        )
    return batch, channels, height, width


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring flow (B, 2, H, W) to the grid ``size`` = (h, w), its vectors scaled with the grid.

    The grids cover the same picture area, as after an ordinary image resize, so dx scales by w / W and dy by h / H.

    Raises:
        ShapeError: ``flow`` is not (B, 2, H, W).
    """
    if flow.ndim != 4 or flow.shape[1] != 2:
        raise ShapeError(f"flow must be (B, 2, H, W), found {tuple(flow.shape)}")
    height, width = flow.shape[-2:]
    scale = flow.new_tensor([size[1] / width, size[0] / height]).view(1, 2, 1, 1)
    return interpolate(flow, size, mode="bilinear", align_corners=False) * scale
