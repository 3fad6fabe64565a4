"""The method's loss terms: one module each, with the formula as a pure tensor function and the term that uses it.

To add a term, add a module with a subclass of :class:`LossTerm`: it becomes an option of every training,
``terms.NAME.weight``, with weight 0 until an arm or a config sets it.
"""

from collections.abc import Set
from dataclasses import field, make_dataclass, replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from weclick.errors import ConfigError
from weclick.extensions import Part, make_part
from weclick.losses.absence import absence
from weclick.losses.cross_entropy import balanced_cross_entropy, partial_cross_entropy
from weclick.losses.distillation import distillation
from weclick.losses.gated_crf import gated_crf
from weclick.losses.resize import resized
from weclick.losses.temporal import temporal_loss, visibility
from weclick.losses.term import SOFT, SUPPLIED_AS, LossTerm, Need, Step
from weclick.options import Options

__all__ = [
    "SOFT",
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
    "without_needs",
]

# every module here is imported, so that its terms are listed without a registry to keep up to date
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


def without_needs(terms: Any, needs: Set[Need]) -> Any:  # noqa: ANN401 - as in active_terms
    """Return a ``Terms`` group without the terms that need any of ``needs``."""
    off = {name: replace(getattr(terms, name), weight=0.0) for name, term in TERMS.items() if term.needs & needs}
    return replace(terms, **off, extra=[part for part in terms.extra if not _outside(part).needs & needs])


def _outside(part: Part) -> LossTerm:
    term: LossTerm = make_part("loss", part, TERMS, ("name", "needs", "weight", "weight_at"))
    return term


def active_terms(terms: Any) -> list[LossTerm]:  # noqa: ANN401 - a class made at run time is no type to mypy
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
