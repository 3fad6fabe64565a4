"""The parser of all commands, and the way from a function to a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, get_type_hints

import jsonargparse

from weclick.cli.help import Help, help_requested, list_parts, show_help
from weclick.cli.usage import suggestion
from weclick.errors import ConfigError
from weclick.options import find_range


class Parser(jsonargparse.ArgumentParser):
    """A parser that accepts no abbreviated option, and raises its refusals, with the option that was probably meant."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**{"allow_abbrev": False, "exit_on_error": False, **options})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise an ``ArgumentError``, which becomes exit status 2."""
        options = [option[2:] for option in self._option_string_actions if option.startswith("--")]
        raise argparse.ArgumentError(None, message + suggestion(message, options)) from ex


def call(
    function: Callable[..., Any],
    command: str,
    arguments: list[str],
    *,
    positional: bool = True,
    examples: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401 - the function's own
    """Call a function with its parameters as options; its docstring is the help.

    Args:
        function: With types and a docstring for all parameters.
        command: Its name on the command line.
        arguments: Those of the command line.
        positional: Whether required parameters are given without a name.
        examples: Command lines for the help.

    Raises:
        ArgumentError: An option is unknown or of another type.
        ConfigError: A number is outside the range that its parameter's type states.
    """
    parser = Parser(prog=command, description=_description(function))
    parser.add_argument("--config", action="config", help="YAML file of these options")
    parser.add_function_arguments(function, as_group=False, as_positional=positional)
    show_help(parser, arguments, Help(examples=examples))
    config = parser.parse_args(arguments).as_dict()
    for name, hint in get_type_hints(function, include_extras=True).items():
        allowed, value = find_range(hint), config.get(name)
        if allowed is not None and value is not None and value not in allowed:
            raise ConfigError(f"--{name} must be {allowed}, found {value}")
    return function(**{name: value for name, value in config.items() if name != "config"})


def _description(function: Callable[..., Any]) -> str:
    text = str(function.__doc__).partition("\n    Args:")[0]
    return "\n".join(line.strip() for line in text.splitlines()).strip()


def choose_part(parts: Mapping[str, Callable[..., Any]], command: str, summary: str, arguments: list[str]) -> str:
    """Return the part of a command that the first argument names; print the list and exit if help is requested instead.

    Raises:
        ArgumentError: There is no such part.
    """
    name = arguments[0] if arguments else ""
    if name in parts:
        return name
    if help_requested(arguments[:1]):
        list_parts(command, summary, parts)
    found = f"no part {name!r}" if name else "a part is missing"
    raise argparse.ArgumentError(None, f"{command}: {found}; choose one of {', '.join(parts)}")
