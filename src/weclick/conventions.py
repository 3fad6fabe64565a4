"""Conventions every tensor in weclick follows. Other docstrings link here.

Images: float (B, 3, H, W), RGB in 0..1 on the device. Each network normalises them itself, with its own mean and std, so that
    teacher, student and flow can use the same batch. Loader workers return uint8, which is smaller to transfer.
Labels: int64 (B, H, W), class ids 0..C-1 of the data set's :class:`~weclick.classes.ClassSet`, ``IGNORE_INDEX`` elsewhere.
Logits: float (B, C, h, w), any stride; losses resize logits, never labels. Only one function resizes predictions:
    :func:`weclick.inference.rules.labels_at`.
Clips: float (B, N, 3, H, W) with ``offsets`` int64 (B, N): neighbour frame number minus the target's; 0 marks padding.
Pixels: centres at integers, origin top-left, (x, y) order in points and flow, (H, W) order in sizes.
Flow: float (B, 2, H, W) on the *target* grid, in pixels, channel 0 = dx, 1 = dy: target pixel (x, y) is seen in the
    neighbour at (x + dx, y + dy). Warps use ``align_corners=True``.
Soft labels: float (B, C, h, w); a pixel's sum over classes, 0..1, is its weight.
Present: bool (B, C), classes that are anywhere in the undrawn frame; all False if that is unknown.
Draw: one geometric draw per clip. The worker transforms image and labels by it; the memory, which lies on the grid of the
    undrawn target, is transformed by the draw's sampling grid (B, h, w, 2) on the device. A neighbour that a loss compares
    with its target is drawn alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor as Tensor
else:
    Tensor = Any
    """A tensor, to modules that declare options: the parser reads these, and help must not wait seconds for torch."""

IGNORE_INDEX: Final = 255
"""Label of pixels that are unknown or belong to no class; never trained on, never counted."""

Size = tuple[int, int]
"""Height and width, in pixels."""

MAX_PIXELS: Final = 1 << 26
"""Largest size of a network's input, in pixels: twice that of 8K video."""

Place = tuple[int, int, int]
"""Row, column and class id of a click on a grid of cells that covers its frame."""


class FrameKey(NamedTuple):
    """Identifies a frame: its video, and its number in that video."""

    video: str
    number: int

    def __str__(self) -> str:
        return f"{self.video}:{self.number}"


def places_on_grid(clicks: Iterable[tuple[float, float, int]], source: Size, grid: Size) -> list[Place]:
    """Return where clicks (x, y, class id) on a source frame (H, W) lie on a grid (h, w) that covers it."""
    scale = (grid[0] / source[0], grid[1] / source[1])
    return [
        (min(grid[0] - 1, int((y + 0.5) * scale[0])), min(grid[1] - 1, int((x + 0.5) * scale[1])), class_id)
        for x, y, class_id in clicks
    ]
