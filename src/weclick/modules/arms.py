"""The arms of the method. An arm is a name for a few options; all other terms are off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

ArmName = Literal["clicks", "kd", "mfd", "weclick", "levers", "accepted", "beyond", "etc", "full"]


@dataclass(frozen=True)
class Arm:
    """One row of the method's table.

    Args:
        summary: One line for help and tables.
        options: Values by the dotted name of the option in a config.
    """

    summary: str
    options: Mapping[str, Any] = field(default_factory=dict)


_LEVERS: Final = {"supervised.balance": 1.0, "absence.weight": 1.0, "crf.weight": 0.1}
_PAPER: Final = {"student.terms.kd.weight": 1.0, "student.terms.mfd.weight": 1.0}

ARMS: Final[dict[str, Arm]] = {
    "clicks": Arm("partial cross-entropy on clicks alone: the baseline"),
    "kd": Arm("clicks and vanilla distillation from the teacher", {"student.terms.kd.weight": 1.0}),
    "mfd": Arm("clicks and Memory Flow Distillation", {"student.terms.mfd.weight": 1.0}),
    "weclick": Arm("clicks, vanilla and memory flow distillation: the paper's method", _PAPER),
    "levers": Arm(
        "clicks with class balance, class absence and gated CRF, without a teacher",
        {f"student.terms.{name}": value for name, value in _LEVERS.items()},
    ),
    "accepted": Arm("clicks and accepted labels, without a teacher", {"student.terms.accepted.weight": 1.0}),
    "beyond": Arm(
        "the paper's method with a teacher of those levers, clicks that grow along colours, accepted labels if any, and a memory "
        "from both sides and the target's own prediction, connected with the clicks and refined along edges",
        {
            **_PAPER,
            **{f"teacher.terms.{name}": value for name, value in _LEVERS.items()},
            **{
                f"{stage}.terms.{name}.weight": 1.0
                for stage in ("teacher", "student")
                for name in ("grown", "accepted")
            },
            **{"data.clips.sides": "both", "memory.fusion.own": 1.0, "memory.connected": True, "memory.refined": True},
        },
    ),
    # the authors' weight, 0.1 on squared differences of logits, is about 6 on those of probabilities
    "etc": Arm(
        "clicks and the temporal loss of ETC, without a teacher: an external reference",
        {"student.terms.etc.weight": 6.0},
    ),
    "full": Arm("cross-entropy on dense masks: the ceiling", {"data.supervision": "masks"}),
}
"""Arms by name; later rows of a table are measured against ``clicks`` and ``full``."""
