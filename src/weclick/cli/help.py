"""The help of a command: ``--help`` fits on a screen, ``--help all`` shows every option with its whole description."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from textwrap import shorten
from typing import Any, Final, NamedTuple

from jsonargparse import ArgumentParser, Namespace

_FLAGS: Final = ("-h", "--help")


class Help(NamedTuple):
    """What the short help of a command shows besides its description.

    ``often``: the options that are used most; empty for all of the parser's. ``examples``: command lines.
    """

    often: Sequence[str] = ()
    examples: Sequence[str] = ()


def help_requested(arguments: list[str]) -> bool:
    """Return whether the arguments request help."""
    return any(flag in arguments for flag in _FLAGS)


def show_help(
    parser: ArgumentParser, arguments: list[str], shown: Help, values: Callable[[list[str]], Namespace] | None = None
) -> None:
    """Print the help and exit if the arguments request it.

    Args:
        parser: The command's.
        arguments: Those of the command line.
        shown: What the short help shows.
        values: Returns the options' values under the other arguments, which the help shows as defaults; by default those of
            the parser.
    """
    if not help_requested(arguments):
        return
    at = next(place for place, argument in enumerate(arguments) if argument in _FLAGS)
    everything = arguments[at + 1 : at + 2] == ["all"]
    rest = arguments[:at] + arguments[at + 1 + everything :]
    found = values(rest) if values else parser.get_defaults()
    defaults = {name: value for name, value in found.clone(with_meta=False).items() if name != "config"}
    if everything:
        parser.set_defaults(defaults)
        parser.print_help()
    else:
        print(_short_help(parser, shown, defaults), end="")
    raise SystemExit(0)


def list_parts(command: str, summary: str, parts: Mapping[str, Callable[..., Any]]) -> None:
    """Print the parts of a command, each with the first line of its docstring, and exit."""
    lines = [
        f"  {name:<12} {str(part.__doc__).splitlines()[0].partition('. ')[0].rstrip('.')}"
        for name, part in parts.items()
    ]
    print(f"usage: {command} PART [options]\n\n{summary}\n\nparts:", *lines, sep="\n")
    print(f"\n`{command} PART --help` explains a part.")
    raise SystemExit(0)


def _short_help(parser: ArgumentParser, shown: Help, defaults: Mapping[str, Any]) -> str:
    actions = {action.dest: action for action in parser._actions if action.dest not in ("help", "print_config")}
    names = shown.often or [name for name in actions if name != "config"]
    places = [name.upper() for name, action in actions.items() if not action.option_strings]
    formatter = _ShortFormatter(parser.prog, defaults)
    formatter.add_usage(" ".join([parser.prog, *places, "[options]"]), [], [])
    formatter.add_text(parser.description)
    formatter.start_section("most used options" if shown.often else "options")
    formatter.add_arguments([actions[name] for name in names])
    formatter.end_section()
    if shown.examples:
        formatter.add_text("\n  ".join(["examples:", *shown.examples]))
    formatter.add_text(parser.epilog)
    formatter.add_text(f"`{parser.prog} --help all` describes every option.")
    return formatter.format_help()


def _plain(value: Any) -> str:  # noqa: ANN401 - of any option
    return value if isinstance(value, str) else json.dumps(value, default=str)


class _ShortFormatter(argparse.RawDescriptionHelpFormatter):
    """Shows of each option the beginning of its description, and its default."""

    def __init__(self, prog: str, defaults: Mapping[str, Any]) -> None:
        super().__init__(prog, max_help_position=40, width=120)
        self._defaults = defaults

    def _get_help_string(self, action: argparse.Action) -> str:
        text = re.sub(r":\w+:|`", "", action.help or "").partition(". ")[0].rstrip(".")
        value = self._defaults.get(action.dest)
        default = "" if value in (None, "") or "default: " in text else f" (default: {_plain(value)})"
        return (shorten(text, 80 - len(default), placeholder=" ...") + default).replace("%", "%%")

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return action.dest.upper()
        value = "" if action.nargs == 0 else f" {action.metavar or action.dest.rpartition('.')[2].upper()}"
        return f"{action.option_strings[0]}{value}"
