"""The parser's refusals in plain words."""

from __future__ import annotations

import re
from typing import Final

_UNION: Final = re.compile(
    r"Does not validate against any of the Union subtypes .*? Errors: - (.*) Given value type: .*?> Given value:"
)
_NAMES: Final = {
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
    "<class 'str'>": "text",
    "<class 'NoneType'>": "null",
}


def plain(message: str) -> str:
    """Return what jsonargparse says of a wrong value without the names of Python's types.

    Example:
        >>> plain("Expected a <class 'int'>. Got value: far")
        'expected a whole number; found far'
    """
    text = _UNION.sub(_any_of, " ".join(message.split()))
    text = re.sub(r"Expected (.*?)\. Got value: ", r"expected \1; found ", text)
    text = re.sub(r"\ba (?=<class|typing)", "", text)
    text = re.sub(r"typing\.Literal\[(.*?)\]", lambda choices: f"one of {choices[1]}".replace("'", ""), text)
    for name, told in _NAMES.items():
        text = text.replace(name, told)
    return re.sub(r'^Parser key "([\w.]+)": ', r"\1: ", text)


def _any_of(union: re.Match[str]) -> str:
    kinds = [kind.removeprefix("Expected ") for kind in union[1].split(" - ") if "NoneType" not in kind]
    return f"Expected {' or '.join(kinds)}. Got value:"
