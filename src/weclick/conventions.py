"""Conventions every tensor in weclick follows. Other docstrings link here.

Images: float (B, 3, H, W), RGB in 0..1 on the device; a network normalises with its own mean and std as its first act, so
    that teacher, student and flow can look at the same batch. Workers hand over uint8 to keep transfers small.
Labels: int64 (B, H, W), class ids 0..C-1 of the data set's :class:`~weclick.classes.ClassSet`, ``IGNORE_INDEX`` elsewhere.
Logits: float (B, C, h, w), any stride; losses resize logits, never labels. Predictions are resized by one rule only:
    :func:`weclick.inference.rules.labels_at`.
Clips: float (B, N, 3, H, W) with ``offsets`` int64 (B, N): neighbour frame number minus the target's; 0 marks padding.
Pixels: centres at integers, origin top-left, (x, y) order in points and flow, (H, W) order in sizes.
Flow: float (B, 2, H, W) on the *target* grid, in pixels, channel 0 = dx, 1 = dy: target pixel (x, y) is seen in the
    neighbour at (x + dx, y + dy). Warps use ``align_corners=True``.
Soft labels: float (B, C, h, w); a pixel's sum over classes, 0..1, is how much of it is believed.
Present: bool (B, C), classes a whole frame holds; all False where nothing is known of it.
Draw: one geometric draw per clip. Image and labels are transformed by it in the worker; the memory, which lives on
    the undrawn target grid, follows it through the draw's sampling grid (B, h, w, 2). A neighbour that a loss compares
    the target with is drawn alike.
"""

from __future__ import annotations

from typing import Final, NamedTuple

IGNORE_INDEX: Final = 255
"""Label of pixels that are unknown or belong to no class; never trained on, never counted."""


Size = tuple[int, int]
"""Height and width, in pixels."""


class FrameKey(NamedTuple):
    """What identifies a frame: its video and its number within it."""

    video: str
    number: int

    def __str__(self) -> str:
        return f"{self.video}:{self.number}"
