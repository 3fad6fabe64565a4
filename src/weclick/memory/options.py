"""Options of the memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from weclick.extensions import Part
from weclick.options import NonNegativeFloat, Options, PositiveShare


@dataclass(frozen=True)
class Fusion(Options):
    """How much each vote counts; the defaults are the paper's plain average of neighbours.

    Args:
        own: Weight of the teacher's own prediction on the target, beside 1 for each neighbour; 0 leaves it out.
        certainty: Votes count with the power of their largest probability; 0 lets all count alike.
        decay: A neighbour's vote counts ``exp(-decay * (d - 1))``, d its distance in units of the nearest one's.
    """

    own: NonNegativeFloat = 0.0
    certainty: NonNegativeFloat = 0.0
    decay: NonNegativeFloat = 0.0


PLAIN: Final = Fusion()


@dataclass(frozen=True)
class MemoryOptions(Options):
    """How the memory is built.

    Args:
        mode: ``stored`` builds it once and trains from disk; ``online`` runs teacher and flow in every step.
        flow: ``auto`` is RAFT-large on a GPU and DIS on a CPU; or one of ``dis``, ``dis-fast``, ``raft-small``,
            ``raft-large``; or a flow from outside (:mod:`weclick.extensions`).
        flow_scale: Sides of the frames that flow is estimated on, as a share of ``data.size``; docs/speed.md tells what
            0.5 saves and costs.
        folder: A finished memory of another run to use instead of building one.
        views: Run the teacher on each frame at three scales and mirrored, and average.
        fusion: How the predictions on the neighbours, and the target's own, are weighted.
        connected: Keep of each class only what is connected with a click of it; requires a click on every region, and
            so has no effect with ``data.clicks.per_frame``.
        refined: Move the borders of the soft labels to edges of colour, by a random walker with the clicks as seeds;
            requires the same.
        restricted: Keep only classes that were clicked on the target; changes training, not what is stored.
    """

    mode: Literal["stored", "online"] = "stored"
    flow: Part = "auto"
    flow_scale: PositiveShare = 1.0
    folder: str | None = None
    views: bool = False
    fusion: Fusion = field(default_factory=Fusion)
    connected: bool = False
    refined: bool = False
    restricted: bool = False

    @property
    def by_clicks(self) -> bool:
        """Whether what is stored of a target depends on its clicks."""
        return self.connected or self.refined
