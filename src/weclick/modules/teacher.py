"""The teacher: a cumbersome network that learns from clicks alone."""

from __future__ import annotations

from typing import Any, ClassVar

from weclick.modules.base import SegmentationModule, StepResult


class TeacherModule(SegmentationModule):
    """Learns from clicks by partial cross-entropy; later frozen, it feeds the memory. See the base class for arguments."""

    stage: ClassVar[str] = "teacher"

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> StepResult:
        """Return the click loss of a batch."""
        loss = self.supervised_loss(self(batch["image"]), batch)
        self.refuse_broken({"supervised": loss})
        return {"loss": loss, "terms": {"loss": loss.detach()}}
