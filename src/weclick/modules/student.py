"""The student: a light network that learns from clicks, memory and teacher, and then predicts without them."""

from __future__ import annotations

from typing import ClassVar

from weclick.modules.base import SegmentationModule


class StudentModule(SegmentationModule):
    """A student. It contains neither the teacher nor the flow. See the base class for arguments."""

    stage: ClassVar[str] = "student"
