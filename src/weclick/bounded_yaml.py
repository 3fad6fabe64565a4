"""Reading YAML files of others: a few hundred bytes must not fill the memory.

Aliases (``*name``) are refused, since nested ones grow exponentially; without them a value is no larger than its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from weclick.errors import DataError, one_line

MAX_BYTES: Final = 1 << 20
"""Largest file, in bytes: a list of tens of thousands of videos."""

MAX_DEPTH: Final = 32
"""Deepest nesting."""


class BoundedLoader(yaml.SafeLoader):
    """Refuses aliases and deep nesting before anything is built of them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node; see the class."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not read; write the value out", problem_mark=mark)
        if self._depth == MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_DEPTH} levels of nesting", problem_mark=mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


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
