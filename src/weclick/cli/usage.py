"""Error messages of the argument parser, without names of Python's types."""

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
    """Return jsonargparse's message about a wrong value with words in place of Python's types.

    Example:
        >>> plain("Expected a <class 'int'>. Got value: far")
        'expected a whole number; found far'
    """
    text = _UNION.sub(_any_of, " ".join(message.split()))
    text = re.sub(r"Expected (.*?)\. Got value: ", r"expected \1; found ", text)
    text = re.sub(r"\ba (?=<class|typing)", "", text)
    text = re.sub(r"typing\.Literal\[(.*?)\]", lambda choices: f"one of {choices[1]}".replace("'", ""), text)
    for name, words in _NAMES.items():
        text = text.replace(name, words)
    return re.sub(r'^Parser key "([\w.]+)": ', r"\1: ", text)


def _any_of(union: re.Match[str]) -> str:
    types = [text.removeprefix("Expected ") for text in union[1].split(" - ") if "NoneType" not in text]
    return f"Expected {' or '.join(types)}. Got value:"
