"""Ranges of numeric options: stated in signatures, checked in one place.

The parser looks at types only, and the classes can be made from Python too; both ways end in :func:`check_ranges`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from weclick.errors import ConfigError


@dataclass(frozen=True, repr=False)
class Range:
    """Finite numbers from ``low`` to ``high``; ``above`` leaves ``low`` itself out."""

    low: float
    high: float = math.inf
    above: bool = False

    def __contains__(self, number: float) -> bool:
        return math.isfinite(number) and self.low <= number <= self.high and not (self.above and number == self.low)

    def __repr__(self) -> str:  # the parser's help shows it
        if self.high == math.inf:
            return f"{'above' if self.above else 'at least'} {self.low}"
        return f"above {self.low}, at most {self.high}" if self.above else f"from {self.low} to {self.high}"


PositiveInt = Annotated[int, Range(1)]
NonNegativeInt = Annotated[int, Range(0)]
PositiveFloat = Annotated[float, Range(0, above=True)]
NonNegativeFloat = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
PositiveShare = Annotated[float, Range(0, 1, above=True)]
Seed = Annotated[int, Range(0, 2**32 - 1)]


def check_ranges(kind: type, options: Mapping[str, Any], group: str = "") -> None:
    """Refuse numbers outside the ranges that the signatures of ``kind`` and its bases state.

    Args:
        kind: Class whose ``__init__`` takes the options.
        options: By name; in a sequence every number counts, None is never outside.
        group: Of the options in a config, if any; for the message.

    Raises:
        ConfigError: A number is outside of its range.

    Example:
        >>> class Loader:
        ...     def __init__(self, batch_size: PositiveInt = 8) -> None: ...
        >>> check_ranges(Loader, {"batch_size": 0}, "data")
        Traceback (most recent call last):
        weclick.errors.ConfigError: data.batch_size must be at least 1, found 0
    """
    for base in kind.__mro__:
        made = vars(base).get("__init__")
        if made is None or base.__module__.partition(".")[0] != kind.__module__.partition(".")[0]:
            continue  # libraries state no ranges, and their hints may name what is not installed
        for name, hint in get_type_hints(made, include_extras=True).items():
            allowed = _range(hint)
            if allowed is not None and not all(number in allowed for number in _numbers(options.get(name))):
                key = f"{group}.{name}" if group else name
                raise ConfigError(f"{key} must be {allowed}, found {options[name]}")


def _range(hint: Any) -> Range | None:  # noqa: ANN401
    """Return the first range inside a type, be it of a union or a tuple."""
    if isinstance(hint, Range):
        return hint
    return next((found for inner in get_args(hint) if (found := _range(inner)) is not None), None)


def _numbers(value: Any) -> Iterator[float]:  # noqa: ANN401
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _numbers(entry)
    elif isinstance(value, int | float):
        yield value
