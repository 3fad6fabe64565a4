"""The teacher: a cumbersome network that learns from clicks."""

from __future__ import annotations

from typing import ClassVar

from weclick.modules.base import SegmentationModule


class TeacherModule(SegmentationModule):
    """A teacher. It learns from clicks, in later rounds also from the previous round's memory, and then builds the memory.

    See the base class for arguments and loss terms.
    """

    stage: ClassVar[str] = "teacher"
