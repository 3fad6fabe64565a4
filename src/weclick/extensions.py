"""Parts from outside: networks, flows, layouts, loss terms and augmentations of other packages.

A config names a part by the short name of a shipped one, by the name of an entry point in the group ``weclick.networks``
(``flows``, ``layouts``, ``losses``, ``augmentations``), or as Lightning users do::

    {class_path: my_package.TinyNet, init_args: {width: 16}}

A config or a checkpoint may come from a stranger, so naming a module there never imports it. A class path is accepted only if
its module is loaded already (``weclick --import MODULE``, or the user's own program), or if an installed entry point has it.
``CONTRIBUTING.md`` describes the protocol of each kind; ``examples/`` has one of each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from weclick.errors import ConfigError, WeclickError, one_line

Kind = Literal["network", "flow", "layout", "loss", "augmentation"]
_GROUPS: dict[Kind, str] = {
    "network": "weclick.networks",
    "flow": "weclick.flows",
    "layout": "weclick.layouts",
    "loss": "weclick.losses",
    "augmentation": "weclick.augmentations",
}

Part = str | dict[str, Any]
"""How a config names a part: a short name, a class path, or ``{class_path: ..., init_args: {...}}``."""

_KEYS = {"class_path", "init_args"}


class NotLoadedError(ConfigError):
    """A part from outside whose module is not loaded."""


def make_part(
    kind: Kind,
    part: Part,
    shipped: Mapping[str, Callable[..., Any]],
    members: tuple[str, ...],
    **arguments: Any,  # noqa: ANN401 - each kind of part takes other arguments
) -> Any:  # noqa: ANN401
    """Build a part.

    Args:
        kind: What kind of part.
        part: How the config names it.
        shipped: Makers of the shipped ones by short name.
        members: Attributes that a class of this kind must have. They are checked first, so that no other class is ever called.
        arguments: What weclick itself passes to the maker; ``init_args`` may not repeat them.

    Raises:
        ConfigError: There is no such part, it is not loaded, not of this kind, or cannot be made with these ``init_args``.
    """
    name, options = part_name(kind, part), (part.get("init_args") or {}) if isinstance(part, dict) else {}
    maker = shipped[name] if name in shipped else find_class(kind, name, tuple(shipped), members)
    try:
        return maker(**arguments, **options)
    except ConfigError as error:  # its message names an option, but not the part
        raise ConfigError(f"{kind} {name}: {error}") from error
    except WeclickError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:  # e.g. torch's for a negative number of channels
        given = f"init_args {options}" if options else "no init_args"
        raise ConfigError(f"{kind} {name} cannot be made with {given}: {one_line(error)}") from error


def part_name(kind: Kind, part: Part) -> str:
    """Return the short name or class path of a part.

    Raises:
        ConfigError: It is of another form, such as an argument beside ``init_args`` instead of inside.
    """
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or not isinstance(part.get("class_path"), str) or part.keys() - _KEYS:
        raise ConfigError(f"a {kind} is a name or {{class_path: ..., init_args: {{...}}}}, found {part}")
    return str(part["class_path"])


def find_class(kind: Kind, name: str, shipped: tuple[str, ...], members: tuple[str, ...]) -> type:
    """Return the class behind the name of an entry point, or behind a class path.

    Raises:
        NotLoadedError: It is a class path whose module is not loaded.
        ConfigError: There is no such class, or it lacks one of the ``members``.
    """
    module, _, attribute = name.rpartition(".")
    points = {point.name: point for point in entry_points(group=_GROUPS[kind])}
    point = points.get(name) or next((p for p in points.values() if p.value == f"{module}:{attribute}"), None)
    if point is not None:
        part = _load(kind, point)
    elif not module:
        raise ConfigError(f"unknown {kind} {name!r}; choose one of: {', '.join([*shipped, *points])}")
    elif module not in sys.modules:
        raise NotLoadedError(
            f"{kind} {name}: its module is not loaded, and neither a config nor a checkpoint may import code; give "
            f"weclick --import {module}, or install a package with an entry point in {_GROUPS[kind]}"
        )
    else:
        part = getattr(sys.modules[module], attribute, None)
        if part is None:
            raise ConfigError(f"{kind} {name}: module {module} has no {attribute}; correct the class_path")
    missing = [member for member in members if not hasattr(part, member)]
    if not isinstance(part, type) or missing:
        problem = f"lacks {', '.join(missing)}" if isinstance(part, type) else "is not a class"
        raise ConfigError(f"{name} {problem}; CONTRIBUTING.md describes what a {kind} needs")
    return part


def _load(kind: Kind, point: EntryPoint) -> Any:  # noqa: ANN401
    try:
        return point.load()
    except Exception as error:  # importing a package may raise anything
        raise ConfigError(f"{kind} {point.name} ({point.value}) cannot be imported: {one_line(error)}") from error
