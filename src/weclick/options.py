"""Groups of options: dataclasses whose types state the range of each number, checked when a group is made.

The parser reads the same classes, so the command line, configs and Python share one check.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Self, Union, get_args, get_origin, get_type_hints

from weclick.errors import ConfigError


@dataclass(frozen=True, repr=False)
class Range:
    """Finite numbers from ``low`` to ``high``; ``above`` excludes ``low`` itself."""

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


class OptionError(ConfigError):
    """An option is impossible. ``name`` is its dotted name, ``problem`` the rest of the message."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name, self.problem = name, problem


@dataclass(frozen=True)
class Options:
    """Base of all groups of options; subclasses are dataclasses, and may hold other groups.

    Raises:
        OptionError: A value is of another type than its field, or outside the range that the type states.

    Example:
        >>> @dataclass(frozen=True)
        ... class Loader(Options):
        ...     batch_size: PositiveInt = 8
        >>> Loader.of({"batch_size": 0}, "data")
        Traceback (most recent call last):
        weclick.options.OptionError: data.batch_size must be at least 1, found 0
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self), include_extras=True)
        for field in fields(self):
            hint, value = hints[field.name], getattr(self, field.name)
            if not _fits(hint, value):
                raise OptionError(field.name, f"must be {describe_type(hint)}, found {value!r}")
            allowed = find_range(hint)
            if allowed is not None and not all(number in allowed for number in _numbers(value)):
                raise OptionError(field.name, f"must be {allowed}, found {value}")

    @classmethod
    def of(cls, values: Self | Mapping[str, Any] | None = None, group: str = "") -> Self:
        """Build from plain values, as they come from YAML, JSON or a checkpoint.

        Args:
            values: By name; groups inside may be mappings too, lists become tuples where the type is one. None is no values.
            group: Dotted name of this group in a config, for messages.

        Raises:
            OptionError: An option does not exist, is missing or impossible, or ``values`` is not a mapping.
        """
        if isinstance(values, cls):
            return values
        if values is not None and not isinstance(values, Mapping):
            raise OptionError(group or cls.__name__, f"must be options by name, found {values!r}")
        # fields, not type hints: those also list class variables, which are no options
        given, hints, prefix = values or {}, get_type_hints(cls), f"{group}." if group else ""
        options = {field.name: field for field in fields(cls)}
        for name in given:
            if name not in options:
                existing = ", ".join(options)
                raise OptionError(f"{prefix}{name}", f"is not an option; {group or cls.__name__} has: {existing}")
        for name, field in options.items():
            if name not in given and field.default is MISSING and field.default_factory is MISSING:
                raise OptionError(f"{prefix}{name}", "is required")
        try:
            return cls(**{name: _typed(hints[name], value, name) for name, value in given.items()})
        except OptionError as error:
            raise OptionError(f"{prefix}{error.name}", error.problem) from None


def _typed(hint: Any, value: Any, name: str) -> Any:  # noqa: ANN401
    """Return a value as a group of options or a tuple, if its type is one."""
    if isinstance(hint, type) and issubclass(hint, Options):
        return hint.of(value, name)
    wants_tuple = any(get_origin(kind) is tuple for kind in (hint, *get_args(hint)))
    return tuple(value) if wants_tuple and isinstance(value, list) else value


_NAMES: Final = {int: "an integer", float: "a number", str: "text", bool: "true or false", NoneType: "null"}


def _fits(hint: Any, value: Any) -> bool:  # noqa: ANN401
    """Return whether a value is of a type. The contents of mappings are not checked."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return _fits(parts[0], value)
    if kind in (Union, UnionType):
        return any(_fits(part, value) for part in parts)
    if kind is Literal:
        return value in parts
    if kind in (tuple, list):
        if not isinstance(value, kind):
            return False
        kinds = parts if kind is tuple and Ellipsis not in parts else parts[:1] * len(value)
        return len(value) == len(kinds) and all(map(_fits, kinds, value))
    if hint in (int, float):  # a bool is an int in Python, but not in a config
        return isinstance(value, int | hint) and not isinstance(value, bool)
    checked = (
        kind or hint
    )  # such as a group, a mapping, a callable; Any and forms that no value can be checked against pass
    return hint is Any or not isinstance(checked, type) or isinstance(value, checked)


def describe_type(hint: Any) -> str:  # noqa: ANN401
    """Return a type in words, for messages and the reference."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return describe_type(parts[0])
    if kind in (Union, UnionType):
        return " or ".join(describe_type(part) for part in parts)
    if kind is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if kind in (tuple, list):
        return f"a list of {' and '.join(describe_type(part) for part in parts if part is not Ellipsis)}"
    return _NAMES.get(hint, "options by name")


def find_range(hint: Any) -> Range | None:  # noqa: ANN401
    """Return the first range inside a type, such as a union or a tuple."""
    if isinstance(hint, Range):
        return hint
    return next((inner for part in get_args(hint) if (inner := find_range(part)) is not None), None)


def _numbers(value: Any) -> Iterator[float]:  # noqa: ANN401
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _numbers(entry)
    elif isinstance(value, int | float):
        yield value
