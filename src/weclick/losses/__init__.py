"""The method's loss terms: one module each, with the formula as a pure tensor function and the term that uses it.

A new term is a new module here: a subclass of :class:`LossTerm` found in this package is an option of every training,
``terms.NAME.weight``, with weight 0 until an arm or a config sets it.
"""

from dataclasses import field, make_dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from weclick.extensions import Part, make_part
from weclick.losses.absence import absence
from weclick.losses.cross_entropy import balanced_cross_entropy, partial_cross_entropy
from weclick.losses.distillation import distillation
from weclick.losses.gated_crf import gated_crf
from weclick.losses.resize import resized
from weclick.losses.temporal import temporal_loss, visibility
from weclick.losses.term import LossTerm, Need, Step
from weclick.options import Options

__all__ = [
    "TERMS",
    "LossTerm",
    "Need",
    "Step",
    "Terms",
    "absence",
    "active_terms",
    "balanced_cross_entropy",
    "distillation",
    "gated_crf",
    "partial_cross_entropy",
    "resized",
    "temporal_loss",
    "visibility",
]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

TERMS: dict[str, type[LossTerm]] = {
    term.name: term for term in LossTerm.__subclasses__() if term.__module__.startswith(f"{__name__}.")
}
"""Shipped terms by name."""

_DOC = """Loss terms by name, each with its options.

Args:
    extra: Terms from outside, each {class_path: ..., init_args: {...}}; see CONTRIBUTING.md.
"""

Terms: type[Any] = make_dataclass(
    "Terms",
    [
        *((name, term, field(default_factory=term)) for name, term in TERMS.items()),
        ("extra", list[Part], field(default_factory=list)),
    ],
    bases=(Options,),
    namespace={
        "__module__": __name__,
        "__doc__": _DOC,
    },
    frozen=True,
)


def active_terms(terms: Options) -> list[LossTerm]:
    """Return the terms of a ``Terms`` group that have a weight, those from outside last.

    Raises:
        ConfigError: A term from outside cannot be made; see :func:`weclick.extensions.make_part`.
    """
    own = [getattr(terms, name) for name in TERMS]
    outside = [make_part("loss", part, TERMS, ("name", "needs", "weight_at")) for part in getattr(terms, "extra", ())]
    return [term for term in (*own, *outside) if term.weight]
