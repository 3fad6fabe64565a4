"""Error messages of the argument parser: without names of Python's types, and with the option that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from weclick.cli.renamed import successor

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


_UNKNOWN: Final = re.compile(
    r"Group '(?P<group>[\w.]+)' does not accept option '(?P<option>\w+)'"
    r"|(?:Option '|unrecognized arguments: --|Parser key \")(?P<name>[\w.]+)"
)


def suggestion(message: str, options: Sequence[str]) -> str:
    """Return the end of a message about an unknown option: what replaced it, or the options that were probably meant.

    Example:
        >>> suggestion("unrecognized arguments: --resum last", ["resume", "data.batch_size"])
        '; did you mean resume?'
        >>> suggestion("unrecognized arguments: --batch_size 2", ["resume", "data.batch_size"])
        '; did you mean data.batch_size?'
    """
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return ""
    option = unknown["name"] or f"{unknown['group']}.{unknown['option']}"
    if sentence := successor(option):
        return f"; {sentence}"
    if "Parser key" in unknown[0]:  # a known option with a wrong value
        return ""
    name = option.rpartition(".")[2]
    meant = [key for key in options if key.endswith(f".{name}")] or get_close_matches(option, options, 1)
    return f"; did you mean {' or '.join(meant)}?" if meant else ""
