"""What identifies a frame."""

from __future__ import annotations

from typing import NamedTuple


class FrameKey(NamedTuple):
    """What identifies a frame: its video and its number within it."""

    video: str
    number: int

    def __str__(self) -> str:
        return f"{self.video}:{self.number}"
