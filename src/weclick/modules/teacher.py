"""The teacher: a cumbersome network that learns from clicks."""

from __future__ import annotations

from typing import ClassVar

from weclick.modules.base import SegmentationModule


class TeacherModule(SegmentationModule):
    """Learns from clicks, in later rounds also from the memory of the round before; frozen, it feeds the memory.

    See the base class for arguments and loss terms.
    """

    stage: ClassVar[str] = "teacher"
