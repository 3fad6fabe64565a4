"""``weclick ablate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from weclick.cli.options import add_settings, dump, option_value, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.runs import resume_hint
from weclick.errors import ConfigError
from weclick.modules import ARMS
from weclick.pipeline.ablation import Row, ablate
from weclick.pipeline.run import RUNS, new_folder
from weclick.reporting.comparison.outcome import Outcome

DESCRIPTION = """Train several arms of the method under one equal budget and compare them in one table and plot.

Runs go to runs/NAME/ARM-sSEED; arms of a seed share teachers and memories where theirs are the same. Call it again to go
on after an interruption, or to add arms and seeds: what is finished is reused.
"""


def parser() -> ArgumentParser:
    """Return the parser of ``weclick ablate``."""
    made = ArgumentParser(prog="weclick ablate", description=DESCRIPTION, exit_on_error=False)
    add_comparison(made, "clicks,weclick,full", "ablate")
    add_settings(made)
    return made


def add_comparison(made: ArgumentParser, arms: str, command: str) -> None:
    """Add what all comparisons take."""
    made.add_argument("--arms", type=str, default=arms, help=f"arms to compare, of {','.join(ARMS)}")
    made.add_argument("--seeds", type=str, default="0", help="seeds, such as 0,1,2")
    made.add_argument(
        "--name", type=str | None, default=None, help=f"folder of the comparison; default: {command}-CONFIG"
    )
    made.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")


def main(command: str, arguments: list[str]) -> None:
    """Parse, train, print the table."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    refuse_single(arguments)
    config = parse(parser(), arguments)
    arms, seeds = arms_of(config), seeds_of(config)
    rows = [row(parser(), arguments, arm, seed, f"{arm}-s{seed}") for seed in seeds for arm in arms]
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
        raise ConfigError(
            f"--arms {config.arms}: unknown {', '.join(unknown) or 'nothing'}; choose of {', '.join(ARMS)}"
        )
    return list(dict.fromkeys(arms))


def seeds_of(config: Namespace) -> list[int]:
    """Return the seeds, each once."""
    try:
        return list(dict.fromkeys(int(seed) for seed in config.seeds.split(",")))
    except ValueError:
        raise ConfigError(f"--seeds {config.seeds} must be whole numbers with commas between, such as 0,1,2") from None


def comparison_folder(config: Namespace, arguments: list[str], command: str) -> Path:
    """Return where the comparison goes."""
    given = option_value(arguments, "--config")
    return new_folder(Path(config.runs), config.name or f"{command}-{Path(given).stem if given else 'run'}")


def row(made: ArgumentParser, arguments: list[str], arm: str, seed: int, name: str) -> Row:
    """Return what to train for an arm and seed: the settings, and how to write them down.

    Args:
        made: A parser of its own: the arm's options become its defaults.
        arguments: The command line's, and what varies between rows.
        arm: Name of the arm.
        seed: Of weights, order and draws.
        name: Of the row's run.
    """
    config = parse(made, [*arguments, f"--arm={arm}", f"--seed={seed}"])

    def text(teacher: str | None, memory: str | None) -> str:
        changed = config.clone()
        changed.teacher_checkpoint, changed.memory.folder = teacher, memory
        return dump(made, changed)

    return Row(name, to_settings(made, config), text)


def print_places(outcomes: Sequence[Outcome], plot: Path) -> None:
    """Print where reports and plot are."""
    for outcome in outcomes:
        print(f"report of {outcome.report.parents[1].name}: {outcome.report}")
    print(f"plot: {plot}")
