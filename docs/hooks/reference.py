"""The reference of commands and options, made of what their help is made of: docstrings, types and defaults."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

import docstring_parser

from weclick.cli import benchmark, clicks, data
from weclick.cli.fit import make_parser
from weclick.cli.main import COMMANDS, run
from weclick.cli.options import OPTION_GROUPS
from weclick.modules.arms import ARMS
from weclick.options import Options, describe_type, find_range

PARTS: Final = {"benchmark": benchmark.PARTS, "clicks": clicks.PARTS, "data": data.PARTS}
"""Parts of the commands that have some."""

KEYS: Final = Path(__file__).parents[2] / "src" / "weclick" / "annotate" / "page" / "keys.js"

_HEADER: Final = ("option", "value", "default", "meaning")
_BINDING: Final = re.compile(r'bind\("(?P<group>.*?)", .*, \["(?P<key>.*?)"\], "(?P<description>.*)"\)')


def commands_reference() -> str:
    """Return the help of every command, and of every part of one, as Markdown."""
    names = [[name, *part] for name in COMMANDS for part in ([], *([part] for part in PARTS.get(name, ())))]
    return "\n".join(f"## weclick {' '.join(name)}\n\n```text\n{_help(name)}\n```\n" for name in names)


def options_reference() -> str:
    """Return the options of ``weclick fit`` as Markdown: its own, the arms' values, and every group of a config."""
    sections = [f"## Options of the command\n\n{_table(_HEADER, _command_options())}", f"## Arms\n\n{_arms()}"]
    for name, group in OPTION_GROUPS.items():
        sections.extend(_sections(name, group))
    return "\n".join(sections)


def keys_reference() -> str:
    """Return the keys of the page as Markdown; its help shows the same table."""
    found = _BINDING.finditer(KEYS.read_text(encoding="utf-8"))
    return _table(("", "key", ""), [[key["group"], f"`{key['key']}`", key["description"]] for key in found])


def _help(command: Sequence[str]) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        run([*command, "--help"])
    return printed.getvalue().strip()


def _command_options() -> Iterator[list[str]]:
    for action in make_parser()._actions:
        if action.dest in ("help", "print_config", "arm") or action.dest.partition(".")[0] in OPTION_GROUPS:
            continue
        hint = getattr(action, "_typehint", str)
        yield [f"`--{action.dest}`", describe_type(hint), _code(action.default), _plain(action.help or "")]


def _arms() -> str:
    rows = []
    for name, arm in ARMS.items():
        values = [f"`{option} {_text(value)}`" for option, value in arm.options.items()]
        rows.append([f"`{name}`", arm.summary, "<br>".join(values)])
    return _table(("arm", "trained from", "values that it sets"), rows)


def _sections(name: str, group: type[Options]) -> Iterator[str]:
    """Yield the section of a group of options, and those of the groups inside it."""
    documented = docstring_parser.parse(group.__doc__ or "", docstring_parser.DocstringStyle.GOOGLE)
    meanings = {param.arg_name: param.description or "" for param in documented.params}
    hints = get_type_hints(group, include_extras=True)
    inner = {field.name: hints[field.name] for field in fields(group) if _is_group(hints[field.name])}
    rows = [
        [f"`{name}.{field.name}`", _value(hints[field.name]), _default(field), _plain(meanings[field.name])]
        for field in fields(group)
        if field.name not in inner
    ]
    summary = _plain(documented.short_description or "")
    yield f"##{'#' * name.count('.')} {name}\n\n{summary}\n\n{_table(_HEADER, rows) if rows else ''}"
    for field_name, kind in inner.items():
        yield from _sections(f"{name}.{field_name}", kind)


def _is_group(hint: Any) -> bool:  # noqa: ANN401 - any type of a field
    return isinstance(hint, type) and issubclass(hint, Options)


def _value(hint: Any) -> str:  # noqa: ANN401
    allowed = find_range(hint)
    return describe_type(hint) + (f", {allowed}" if allowed else "")


def _default(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return _code(field.default)
    return "required" if field.default_factory is MISSING else _code(field.default_factory())


def _code(value: Any) -> str:  # noqa: ANN401 - of any option
    return "" if value is None else f"`{_text(value)}`"


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else json.dumps(value)


def _plain(text: str) -> str:
    """Return a docstring's text in one line of Markdown: without Sphinx's roles, and with plain code."""
    return re.sub(r":\w+:(?=`)", "", " ".join(text.split())).replace("``", "`")


def _table(header: Sequence[str], rows: Iterator[list[str]] | list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
