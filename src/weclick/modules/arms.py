"""The method as arms that can be switched on: what supervises the student, and which terms it learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Term = Literal["kd", "mfd"]
ArmName = Literal["clicks", "kd", "mfd", "weclick", "full"]


@dataclass(frozen=True)
class Arm:
    """One row of the method's table.

    Args:
        supervision: ``clicks``, or ``masks`` for the fully supervised ceiling.
        terms: Loss terms beside the supervised one; any of them needs a teacher.
        summary: One line for help and tables.
    """

    supervision: Literal["clicks", "masks"]
    terms: tuple[Term, ...]
    summary: str

    @property
    def needs_teacher(self) -> bool:
        """Whether teacher and memory stages come before the student's."""
        return bool(self.terms)


ARMS: Final[dict[str, Arm]] = {
    "clicks": Arm("clicks", (), "partial cross-entropy on clicks alone: the baseline"),
    "kd": Arm("clicks", ("kd",), "clicks and vanilla distillation from the teacher"),
    "mfd": Arm("clicks", ("mfd",), "clicks and Memory Flow Distillation"),
    "weclick": Arm("clicks", ("kd", "mfd"), "clicks, vanilla and memory flow distillation: the paper's method"),
    "full": Arm("masks", (), "cross-entropy on dense masks: the ceiling"),
}
"""Arms by name; later rows of a table are measured against ``clicks`` and ``full``."""
