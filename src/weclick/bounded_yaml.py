"""Reading YAML files of others: a few hundred bytes must not fill the memory.

An alias (``*name``) stands for a copy of what its anchor names, and nested ones grow exponentially; so values are counted
as if every alias were written out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from weclick.errors import DataError, one_line

MAX_BYTES: Final = 1 << 20
"""Largest file, in bytes: a list of tens of thousands of videos."""

MAX_VALUES: Final = MAX_BYTES
"""Most values, aliases written out: no file without aliases has more."""

MAX_DEPTH: Final = 32
"""Deepest nesting, aliases written out."""


class BoundedLoader(yaml.SafeLoader):
    """Refuses too many and too deeply nested values before anything is built of them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values = 0
        self._open: set[str] = set()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node; see the class."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._mark, anchor = event.start_mark, event.anchor
        if isinstance(event, yaml.AliasEvent):
            if anchor in self._open:
                self._refuse(f"*{anchor} lies inside of what it names")
            return self._copy(super().compose_node(parent, index))
        self._enter()
        self._open.add(anchor)
        node = super().compose_node(parent, index)
        self._open.discard(anchor)
        self._depth -= 1
        return node

    def _copy(self, node: yaml.Node | None) -> yaml.Node | None:
        self._enter()
        if isinstance(node, yaml.MappingNode):
            pairs = [(self._copy(key), self._copy(value)) for key, value in node.value]
            node = yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
        elif isinstance(node, yaml.SequenceNode):
            node = yaml.SequenceNode(node.tag, [*map(self._copy, node.value)], node.start_mark, node.end_mark)
        self._depth -= 1
        return node

    def _enter(self) -> None:
        self._depth += 1
        self._values += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"more than {MAX_DEPTH} levels of nesting")
        if self._values > MAX_VALUES:
            self._refuse(f"aliases (*name) written out are more than {MAX_VALUES} values")

    def _refuse(self, why: str) -> NoReturn:
        raise yaml.MarkedYAMLError(problem=why, problem_mark=self._mark)


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - whatever is in the file
    """Read a YAML file.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It cannot be read, is not YAML, or exceeds the limits of this module.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)  # not whole: somebody may name a film
        if len(content) > MAX_BYTES:
            raise DataError(f"{path} cannot be read as YAML: it has more than {MAX_BYTES} bytes; is it the right file?")
        return load_yaml(content.decode())
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read as YAML: {one_line(error, 600)}") from None


def load_yaml(text: str) -> Any:  # noqa: ANN401
    """Return the value of a YAML text.

    Raises:
        yaml.YAMLError: It is not YAML, or exceeds the limits of this module.
    """
    try:
        return yaml.load(text, BoundedLoader)
    except ValueError as error:  # a date such as 2026-02-30, a number of thousands of digits
        raise yaml.YAMLError(f"it holds a value that cannot be read ({one_line(error)}); put it in quotes") from None
