"""The config's parser, shared by all commands that take one."""

from __future__ import annotations

import json
import logging
import os
import re
import reprlib
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml
from jsonargparse import Namespace

from weclick.bounded_yaml import load_yaml, read_yaml
from weclick.cli.help import Help, show_help
from weclick.cli.parser import Parser
from weclick.data.options import DataOptions
from weclick.errors import ConfigError, DataError, one_line
from weclick.memory.options import MemoryOptions
from weclick.modules.arms import ARMS, ArmName
from weclick.modules.options import ModuleOptions
from weclick.options import Options
from weclick.pipeline.options import TrainerOptions
from weclick.reporting.options import TrackingOptions

if TYPE_CHECKING:  # these import torch and Lightning, for which help and refusals of usage do not wait
    from lightning.pytorch import Callback

    from weclick.pipeline.run import Run
    from weclick.pipeline.settings import FitSettings

GROUPS: Final = ("config", "data", "teacher", "student", "trainer")
"""Options whose value may name a YAML file of ours."""

OPTION_GROUPS: Final[dict[str, type[Options]]] = {
    "data": DataOptions,
    "teacher": ModuleOptions,
    "student": ModuleOptions,
    "memory": MemoryOptions,
    "tracking": TrackingOptions,
    "trainer": TrainerOptions,
}
"""Groups of a config, in the order of the help."""


class Request(NamedTuple):
    """A parsed command line: its arguments, the run to resume (None for a new one), the parser and what it found."""

    arguments: list[str]
    run: Run | None
    parser: Parser
    config: Namespace


def add_settings(parser: Parser) -> None:
    """Add everything a config may hold."""
    parser.add_argument("--config", action="config", help="YAML file: a path, or a name such as camvid.yaml")
    arms = "; ".join(f"{name}: {arm.summary}" for name, arm in ARMS.items())
    help_text = f"what is trained from; sets defaults, which any option beside it overrides ({arms})"
    parser.add_argument("--arm", type=ArmName, default="weclick", help=help_text)
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and draws")
    parser.add_argument("--teacher_epochs", type=int | None, default=None, help="default: trainer.max_epochs")
    parser.add_argument("--teacher_checkpoint", type=str | None, default=None, help="a finished teacher to use")
    help_text = "teachers trained one after the other, each also from the memory of the previous one (teacher.terms.kd)"
    parser.add_argument("--teacher_rounds", type=int, default=1, help=help_text)
    for group, options in OPTION_GROUPS.items():
        parser.add_class_arguments(options, group, instantiate=False)


def show_settings_help(parser: Parser, arguments: list[str], shown: Help) -> None:
    """Print the help of a command that takes a config, and exit, if the arguments request it.

    Defaults are those of the config, the arm and the other options in the arguments.
    """

    def values(given: list[str]) -> Namespace:
        parser.set_defaults({"data.root": ""})  # required, but not for help
        return parse(parser, given)

    show_help(parser, arguments, shown, values)


def to_settings(parser: Parser, config: Namespace) -> FitSettings:
    """Return the parsed config as settings.

    Raises:
        ConfigError: An option is impossible.
        ArgumentError: A callback is unknown, or has no such argument.
    """
    from weclick.pipeline.settings import FitSettings

    plain = config.clone(with_meta=False).as_dict()
    if not isinstance(plain["trainer"], dict):
        raise ConfigError(f"trainer must be options by name, found {plain['trainer']!r}")
    groups = {group: options.of(plain[group], group) for group, options in OPTION_GROUPS.items() if group != "trainer"}
    callbacks = _callbacks(plain["trainer"].pop("callbacks", None))
    values = {field.name: plain[field.name] for field in fields(FitSettings) if field.name in plain}
    return FitSettings.of({**values, **groups, "callbacks": callbacks})


def _callbacks(parts: Any) -> Callable[[], list[Callback]]:  # noqa: ANN401 - as the config names them
    """Return a function that makes the callbacks of a config."""
    from lightning.pytorch import Callback

    parser = Parser()
    parser.add_argument("--trainer.callbacks", type=list[Callback] | Callback | None)
    checked = parser.parse_object({"trainer": {"callbacks": parts}})

    def make() -> list[Callback]:
        made = parser.instantiate_classes(checked).trainer.callbacks
        return list(made) if isinstance(made, list) else [made] if made else []

    return make


def dump(parser: Parser, config: Namespace) -> str:
    """Return the settings of a config as YAML, without what concerns only the command that was given."""
    from weclick.pipeline.settings import FitSettings

    kept = config.clone(with_meta=False)
    for name in vars(kept).keys() - {field.name for field in fields(FitSettings)}:
        kept.pop(name)
    text: str = parser.dump(kept, skip_validation=True)
    return text


def resolve_configs(arguments: list[str]) -> list[str]:
    """Replace names of shipped YAML files after ``--config``, ``--data``, ... by their paths."""
    resolved, expecting = [], False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if expecting:
            resolved.append(_found(argument))
        elif equals and option.removeprefix("--") in GROUPS:
            resolved.append(f"{option}={_found(value)}")
        else:
            resolved.append(argument)
        expecting = not expecting and argument.startswith("--") and argument[2:] in GROUPS
    return resolved


def parse(parser: Parser, arguments: list[str]) -> Namespace:
    """Parse arguments; the options of their arm are defaults, which configs and single options override.

    A group's file (``--teacher teacher/lite2.yaml``) replaces the config's whole group: what it leaves out is the default,
    not what another file of its kind had set.
    """
    config = _parsed(parser, arguments)
    arm = config.get("arm")
    if arm is not None and ARMS[arm].options:
        parser.set_defaults(dict(ARMS[arm].options))
        config = _parsed(parser, arguments)
    if root := config.get("data.root"):
        config["data.root"] = _expanded(root)
    return config


_VARIABLE: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")


def _expanded(text: str) -> str:
    """Replace each ``${NAME:-default}`` as a shell does: by the environment variable or, if it is unset or empty, the default."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[2], text)


def _parsed(parser: Parser, arguments: list[str]) -> Namespace:
    defaults, complete = parser.get_defaults(), list[str]()
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        named = value if equals else "".join(arguments[position + 1 : position + 2])
        group = option.removeprefix("--")
        if group in GROUPS[1:] and group in defaults and named.endswith((".yaml", ".yml")):
            # data.root alone has no default: where the data lie, the config or another option may say
            optional = {key: value for key, value in defaults[group].as_dict().items() if key != "root"}
            complete.append(f"--{group}={json.dumps(optional)}")
        if group == "config" and equals:
            argument = f"--config={_with_parts(value)}"
        complete.append(_with_parts(argument) if arguments[position - 1 : position] == ["--config"] else argument)
    return parser.parse_args(complete)


def _with_parts(config: str) -> str:
    """Return a config's file or, where a part it names does not lie beside it, its text with the parts' places in it."""
    is_file = is_file_name(config)
    try:
        settings = read_settings(Path(config)) if is_file else _settings(load_yaml(config), "config")
    except (ConfigError, yaml.YAMLError):
        if is_file and Path(config).is_file():
            raise
        return config  # a value that is no file, which the parser judges
    named = {group: settings.get(group) for group in GROUPS[1:]}
    parts = {group: part for group, part in named.items() if isinstance(part, str) and is_file_name(part)}
    beside, note = (Path(config).parent, f" (named in {config})") if is_file else (Path(), "")
    found = {group: Path(_found(part, beside, note)) for group, part in parts.items()}
    if all(place == beside / parts[group] for group, place in found.items()):
        return config
    return yaml.safe_dump({**settings, **{group: str(place.resolve()) for group, place in found.items()}})


def _found(name: str, beside: Path = Path(), note: str = "") -> str:
    """Look a YAML file up beside what names it, then in ``configs/``, then among the shipped ones."""
    if not is_file_name(name):
        return name
    places = [beside / name, *(folder / name for folder in (Path("configs"), *shipped_configs()))]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        looked = ", ".join(dict.fromkeys(str(place.parent) for place in places))
        raise ConfigError(f"config {name}{note} not found; looked in {looked}")
    read_settings(found)
    return str(found)


def is_file_name(value: str) -> bool:
    """Return whether a value names a file: an option is none, nor is YAML or JSON in the place of a file."""
    return not value.startswith(("-", "{")) and ": " not in value


def read_settings(file: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        ConfigError: It cannot be read, or holds none.
    """
    try:
        return _settings(read_yaml(file), f"config {file}")
    except (OSError, DataError) as error:
        raise ConfigError(f"config {one_line(error, 600)}") from None


def _settings(settings: object, where: str) -> dict[str, Any]:
    if not isinstance(settings, dict):
        raise ConfigError(f"{where} holds no settings; it must have lines such as arm: beyond")
    if (wrong := next((key for key in settings if not isinstance(key, str) or " " in key), None)) is not None:
        raise ConfigError(f"{where} holds {reprlib.repr(wrong)}, which is no option; is it the right file?")
    return settings


def shipped_configs() -> list[Path]:
    """Return the folder of configs inside the package (wheel) or beside its source (checkout)."""
    package = Path(__file__).parents[1]
    return [package / "configs", package.parents[1] / "configs"]


def quiet_libraries() -> None:
    """Keep libraries' start-up remarks from users; Lightning's warnings about our data stay."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_is_ours)
    warnings.formatwarning = _warning_line
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _warning_line(message: Warning | str, *place: object, **more: object) -> str:
    """Leave out the place in the code, which tells users nothing."""
    return f"warning: {message}\n"


def _is_ours(record: logging.LogRecord) -> bool:
    noise: tuple[str, ...] = (
        "GPU available",
        "TPU available",
        "HPU available",
        "💡 Tip",
        "`Trainer.fit` stopped",
        "Seed set",
        "Loading `train_dataloader` to estimate",
        "Restor",
        "Found current_model_state",
    )
    return not record.getMessage().startswith(noise)


def option_value(arguments: list[str], option: str) -> str | None:
    """Return an option's last value before the arguments are parsed for good."""
    found = None
    for position, argument in enumerate(arguments):
        if argument == option and position + 1 < len(arguments):
            found = arguments[position + 1]
        elif argument.startswith(f"{option}="):
            found = argument.partition("=")[2]
    return found
