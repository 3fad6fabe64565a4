"""``weclick ablate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jsonargparse import Namespace

from weclick.cli.help import Help
from weclick.cli.options import (
    add_settings,
    dump,
    option_value,
    parse,
    quiet_libraries,
    resolve_configs,
    show_settings_help,
    to_settings,
)
from weclick.cli.parser import Parser
from weclick.cli.runs import resume_hint
from weclick.errors import ConfigError
from weclick.modules.arms import ARMS
from weclick.pipeline.options import RUNS

if TYPE_CHECKING:
    from weclick.pipeline.ablation import Row
    from weclick.reporting.comparison.outcome import Outcome

DESCRIPTION = """Train several arms of the method under one equal budget and compare them in one table and plot.

Runs go to runs/NAME/ARM-sSEED; arms of one seed share their teacher and memory where the settings of these are the same.
Run the same command again to resume after an interruption; more arms and seeds can be added, finished runs are reused.
"""

HELP: Final = Help(
    often=(
        *("config", "data.root", "arms", "seeds", "name", "runs"),
        *("data.size", "data.batch_size", "trainer.max_epochs", "trainer.accelerator"),
    ),
    examples=("weclick ablate --config camvid.yaml --arms clicks,weclick,full --seeds 0,1,2",),
)


def make_parser() -> Parser:
    """Return the parser of ``weclick ablate``."""
    parser = Parser(prog="weclick ablate", description=DESCRIPTION)
    add_comparison(parser, "clicks,weclick,full", "ablate")
    add_settings(parser)
    return parser


def add_comparison(parser: Parser, arms: str, command: str) -> None:
    """Add the options that all comparisons have."""
    parser.add_argument("--arms", type=str, default=arms, help=f"arms to compare, from {','.join(ARMS)}")
    parser.add_argument("--seeds", type=str, default="0", help="seeds to train every arm with, such as 0,1,2")
    parser.add_argument(
        "--name", type=str | None, default=None, help=f"folder of the comparison; default: {command}-CONFIG"
    )
    parser.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")


def main(command: str, arguments: list[str]) -> None:
    """Train a run for each arm and seed and print the table."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    show_settings_help(make_parser(), arguments, HELP)
    refuse_single(arguments)
    config = parse(make_parser(), arguments)
    arms, seeds = arms_of(config), seeds_of(config)
    from weclick.pipeline.ablation import ablate

    rows = [make_row(make_parser(), arguments, arm, seed, f"{arm}-s{seed}") for seed in seeds for arm in arms]
    folder = comparison_folder(config, arguments, command)
    with resume_hint("the same command"):
        outcomes = ablate(rows, folder)
    print(f"\n{(folder / 'table.md').read_text(encoding='utf-8')}")
    print_places(outcomes, folder / "plot.png")


def refuse_single(arguments: list[str]) -> None:
    """Refuse the options of ``weclick fit`` that a comparison sets for each row."""
    for option in ("--arm", "--seed"):
        if option_value(arguments, option) is not None:
            raise ConfigError(f"{option} is for weclick fit; a comparison takes {option}s")


def arms_of(config: Namespace) -> list[str]:
    """Return the arms to compare, each once."""
    arms = [name.strip() for name in config.arms.split(",") if name.strip()]
    unknown = [name for name in arms if name not in ARMS]
    if unknown or not arms:
        problem = f"unknown {', '.join(unknown)}" if unknown else "none named"
        raise ConfigError(f"--arms {config.arms}: {problem}; choose from {', '.join(ARMS)}")
    return list(dict.fromkeys(arms))


def seeds_of(config: Namespace) -> list[int]:
    """Return the seeds, each once."""
    try:
        return list(dict.fromkeys(int(seed) for seed in config.seeds.split(",")))
    except ValueError:
        raise ConfigError(f"--seeds {config.seeds} must be whole numbers with commas between, such as 0,1,2") from None


def comparison_folder(config: Namespace, arguments: list[str], command: str) -> Path:
    """Return the folder of the comparison, by default named after the command and the config."""
    from weclick.pipeline.run import new_folder

    path = option_value(arguments, "--config")
    default = f"{command}-{Path(path).stem if path else 'run'}"
    return new_folder(Path(config.runs), default if config.name is None else config.name)


def make_row(parser: Parser, arguments: list[str], arm: str, seed: int, name: str) -> Row:
    """Return the row of an arm and seed: what to train, and a function that gives its settings as YAML.

    Args:
        parser: A new one, as the arm's options become its defaults.
        arguments: Those of the command line, and what varies between rows.
        arm: Name of the arm.
        seed: Seed of weights, sample order and draws.
        name: Name of the row's run.
    """
    from weclick.pipeline.ablation import Row

    config = parse(parser, [*arguments, f"--arm={arm}", f"--seed={seed}"])

    def text(teacher: str | None, memory: str | None) -> str:
        changed = config.clone()
        changed.teacher_checkpoint, changed.memory.folder = teacher, memory
        return dump(parser, changed)

    return Row(name, to_settings(parser, config), text)


def print_places(outcomes: Sequence[Outcome], plot: Path) -> None:
    """Print the paths of the reports and of the plot."""
    for outcome in outcomes:
        print(f"report of {outcome.report.parents[1].name}: {outcome.report}")
    print(f"plot: {plot}")
