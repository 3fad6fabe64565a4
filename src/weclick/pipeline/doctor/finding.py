"""One line of ``weclick doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        state: ``warning`` may slow down or stop some work; with a ``problem`` some command fails.
        subject: What was checked.
        found: What was found.
        remedy: What to do; empty if all is well.
    """

    state: Literal["ok", "warning", "problem"]
    subject: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state:<8} {self.subject}: {self.found}" + (f"; {self.remedy}" if self.remedy else "")
