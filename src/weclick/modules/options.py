"""Options of a stage's training: network, optimiser, loss terms."""

from __future__ import annotations

from dataclasses import dataclass, field

from weclick.losses import LossTerm, Terms, active_terms
from weclick.losses.term import Need
from weclick.models.options import NetworkOptions
from weclick.options import NonNegativeFloat, Options, PositiveFloat, Share


@dataclass(frozen=True)
class OptimiserOptions(Options):
    """AdamW, its schedule, and weight averaging.

    Args:
        learning_rate: Peak learning rate.
        encoder_rate: Learning rate of the encoder as a share of ``learning_rate``: a pretrained one has less to learn.
        weight_decay: Weight decay; biases and normalisation layers have none.
        warmup: Share of all steps over which the learning rate rises; then it falls to 0 on a half cosine.
        ema: Horizon over which the evaluated weights are averaged, as a share of all steps; 0 turns averaging off.
    """

    learning_rate: PositiveFloat = 1e-3
    encoder_rate: PositiveFloat = 1.0
    weight_decay: NonNegativeFloat = 1e-2
    warmup: Share = 0.1
    ema: Share = 0.05


@dataclass(frozen=True)
class ModuleOptions(Options):
    """Training of a teacher or a student.

    Args:
        network: The network.
        optimiser: Optimiser, schedule and averaging.
        terms: Loss terms, each with a weight.
    """

    network: NetworkOptions = field(default_factory=NetworkOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    terms: Terms = field(default_factory=Terms)

    @property
    def active(self) -> list[LossTerm]:
        """Loss terms with a weight."""
        return active_terms(self.terms)

    @property
    def needs(self) -> frozenset[Need]:
        """What these terms need besides clicks."""
        return frozenset().union(*(term.needs for term in self.active))
