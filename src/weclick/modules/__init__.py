"""LightningModules of the two stages, and their checkpoints."""

from weclick.modules.arms import ARMS, Arm
from weclick.modules.base import SegmentationModule
from weclick.modules.checkpoint import load_checkpoint
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule

__all__ = [
    "ARMS",
    "Arm",
    "SegmentationModule",
    "StudentModule",
    "TeacherModule",
    "load_checkpoint",
]
