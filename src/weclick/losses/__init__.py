"""The method's loss terms. ``terms`` lists them with their options; each formula is a tensor function in a module of its own.

To add a term, add a subclass of :class:`LossTerm` to ``terms`` and a field of :class:`Terms`: it becomes an option of every
training, ``terms.NAME.weight``, with weight 0 until an arm or a config sets it.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Final, get_type_hints

from weclick.errors import ConfigError
from weclick.extensions import Part, make_part
from weclick.losses.term import SOFT, SUPPLIED_AS, LossTerm, Need, Step
from weclick.losses.terms import (
    Absence,
    AcceptedCrossEntropy,
    Auxiliary,
    Consistency,
    CrossEntropy,
    GatedCRF,
    GrownClicks,
    HardLabels,
    MemoryFlowDistillation,
    TemporalConsistency,
    VanillaDistillation,
)
from weclick.options import Options

__all__ = ["SOFT", "TERMS", "LossTerm", "Need", "Step", "Terms", "active_terms", "without_needs"]


@dataclass(frozen=True)
class Terms(Options):
    """Loss terms by name, each with its options.

    Args:
        extra: Terms from outside, each {class_path: ..., init_args: {...}}; see CONTRIBUTING.md.
    """

    absence: Absence = field(default_factory=Absence)
    supervised: CrossEntropy = field(default_factory=CrossEntropy)
    kd: VanillaDistillation = field(default_factory=VanillaDistillation)
    mfd: MemoryFlowDistillation = field(default_factory=MemoryFlowDistillation)
    crf: GatedCRF = field(default_factory=GatedCRF)
    etc: TemporalConsistency = field(default_factory=TemporalConsistency)
    accepted: AcceptedCrossEntropy = field(default_factory=AcceptedCrossEntropy)
    auxiliary: Auxiliary = field(default_factory=Auxiliary)
    consistency: Consistency = field(default_factory=Consistency)
    grown: GrownClicks = field(default_factory=GrownClicks)
    hard: HardLabels = field(default_factory=HardLabels)
    extra: list[Part] = field(default_factory=list)


TERMS: Final[Mapping[str, type[LossTerm]]] = {
    name: kind for name, kind in get_type_hints(Terms).items() if name != "extra"
}
"""Shipped terms by name."""


def without_needs(terms: Terms, needs: Set[Need]) -> Terms:
    """Return a ``Terms`` group without the terms that need any of ``needs``."""
    off = {name: replace(getattr(terms, name), weight=0.0) for name, term in TERMS.items() if term.needs & needs}
    return replace(terms, **off, extra=[part for part in terms.extra if not _outside(part).needs & needs])


def _outside(part: Part) -> LossTerm:
    term: LossTerm = make_part("loss", part, TERMS, ("name", "needs", "weight", "weight_at"))
    return term


def active_terms(terms: Terms) -> list[LossTerm]:
    """Return the terms of a ``Terms`` group that have a weight, those from outside last.

    Raises:
        ConfigError: A term from outside cannot be made (:func:`weclick.extensions.make_part`), needs
            something that no data module supplies, or has the name of another term.
    """
    shipped = [getattr(terms, name) for name in TERMS]
    outside = [_outside(part) for part in terms.extra]
    active = [term for term in (*shipped, *outside) if term.weight]
    for term in outside:
        if unknown := term.needs - SUPPLIED_AS.keys():
            needs = f"{', '.join(sorted(unknown))}; a term may need: {', '.join(SUPPLIED_AS)}"
            raise ConfigError(f"loss {term.name} needs {needs}")
    names = [term.name for term in active]
    if len(set(names)) < len(names):  # values and metrics go by name: one of the two would silently replace the other
        raise ConfigError(f"two loss terms have the same name, of {', '.join(names)}; rename or remove one")
    return active
