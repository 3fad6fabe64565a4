"""The classes of a data set: names, colours, thing or stuff."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from weclick.bounded_yaml import read_yaml
from weclick.conventions import IGNORE_INDEX
from weclick.errors import DataError

DISTINCT_COLORS: Final = (
    # Okabe and Ito without black
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)),
    # Paul Tol, "muted"
    *((51, 34, 136), (17, 119, 51), (136, 34, 85), (221, 204, 119), (170, 68, 153), (68, 170, 153), (204, 102, 119)),
    *((153, 153, 51), (136, 204, 238)),
)
"""RGB colours that people with any kind of colour vision can tell apart, the first ones best."""


@dataclass(frozen=True)
class SemanticClass:
    """One class: its name, RGB colour in 0..255, and whether its objects are countable (``thing``)."""

    name: str
    color: tuple[int, int, int]
    thing: bool = False


@dataclass(frozen=True)
class ClassSet:
    """The classes of a data set in order; the id of a class is its position.

    Raises:
        DataError: There is no class, more than 255, a name appears twice, or two names differ in case only.
    """

    classes: tuple[SemanticClass, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) <= IGNORE_INDEX:
            raise DataError(f"a data set needs 1 to {IGNORE_INDEX} classes, found {len(self.classes)}")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise DataError(f"class names used twice: {', '.join(twice)}; every class needs a name of its own")
        cases = {name.lower(): name for name in self.names}
        if alike := [name for name in self.names if cases[name.lower()] != name]:
            raise DataError(f"classes {alike[0]} and {cases[alike[0].lower()]} differ in case only; rename one of them")

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[SemanticClass]:
        return iter(self.classes)

    def __getitem__(self, index: int) -> SemanticClass:
        return self.classes[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of ids."""
        return tuple(c.name for c in self.classes)

    @property
    def palette(self) -> np.ndarray:
        """Colours as uint8 (256, 3), RGB; unused ids and ``IGNORE_INDEX`` are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self)] = [c.color for c in self.classes]
        return table

    def index(self, name: str) -> int:
        """Return the id of the class called ``name``.

        Raises:
            DataError: There is no such class.
        """
        if name not in self.names:
            raise DataError(f"unknown class {name!r}; the data set has: {', '.join(self.names)}")
        return self.names.index(name)

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain dictionaries, as stored in checkpoints and ``classes.yaml``."""
        return [{"name": c.name, "color": list(c.color), "thing": c.thing} for c in self.classes]

    @classmethod
    def from_list(cls, entries: Iterable[Mapping[str, Any]]) -> ClassSet:
        """Build from plain dictionaries with ``name``, and optionally ``color`` and ``thing``."""
        return cls(tuple(_semantic_class(entry, index) for index, entry in enumerate(entries)))

    @classmethod
    def read(cls, path: Path) -> ClassSet:
        """Read ``classes.yaml``: a list of names, or of mappings with ``name``, ``color``, ``thing``.

        Raises:
            DataError: The file is missing, is not YAML, or an entry is malformed.
        """
        try:
            entries = read_yaml(path)
        except FileNotFoundError:
            raise DataError(f"{path} not found; list the classes there (see data/README.md)") from None
        if isinstance(entries, Mapping):  # the list may be under a key, ``classes: [...]``
            entries = entries.get("classes")
        if not isinstance(entries, list):
            raise DataError(f"{path} holds no list of classes; see data/README.md for the format")
        try:
            return cls.from_list([{"name": e} if isinstance(e, str) else e for e in entries])
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def _semantic_class(entry: Mapping[str, Any], index: int) -> SemanticClass:
    color = entry.get("color", default_color(index)) if isinstance(entry, Mapping) else None
    valid = isinstance(color, list | tuple) and len(color) == 3 and all(type(v) is int and 0 <= v <= 255 for v in color)
    if not valid or not isinstance(entry.get("name"), str) or not entry["name"].strip():
        raise DataError(
            f"class {index} must be a name or {{name, color: [r, g, b] in 0..255, thing}}, found {reprlib.repr(entry)}; put "
            "names such as on, no and 12, which YAML reads as other values, in quotes"
        )
    thing = entry.get("thing", False)
    if not isinstance(thing, bool):
        raise DataError(
            f"thing of class {entry['name']!r} must be true or false without quotes, found {reprlib.repr(thing)}"
        )
    return SemanticClass(entry["name"], (color[0], color[1], color[2]), thing)


def distinct_color(index: int) -> tuple[int, int, int]:
    """Return a colour for class ``index`` of a new data set: one of ``DISTINCT_COLORS`` as long as there are some."""
    return DISTINCT_COLORS[index] if index < len(DISTINCT_COLORS) else default_color(index)


def default_color(index: int) -> tuple[int, int, int]:
    """Return a colour for class ``index``: the bit-interleaved map of Pascal VOC, far apart for neighbouring ids."""
    rgb = [0, 0, 0]
    value = index + 1
    for bit in range(8):
        for channel in range(3):
            rgb[channel] |= (value >> channel & 1) << (7 - bit)
        value >>= 3
    return (rgb[0], rgb[1], rgb[2])
