"""The student: a light network that learns from clicks, memory and teacher, and then runs alone."""

from __future__ import annotations

from typing import ClassVar

from weclick.modules.base import SegmentationModule


class StudentModule(SegmentationModule):
    """Learns from its loss terms; neither teacher nor flow is part of it. See the base class for arguments."""

    stage: ClassVar[str] = "student"
