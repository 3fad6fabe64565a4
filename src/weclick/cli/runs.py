"""Finding the run a command is about, where need be before its arguments are parsed for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jsonargparse import ArgumentParser

from weclick.cli.options import option_value
from weclick.pipeline.interrupt import Interrupted
from weclick.pipeline.run import RUNS, Run, Stage

SETTINGS: Final = """Any setting of the run's config.yaml can be overridden, too, such as --data.root FOLDER; weclick fit --help
explains them."""


def add_run(parser: ArgumentParser, told: str) -> None:
    """Add the options that name a run; ``told`` is the help's line about it."""
    parser.add_argument("--run", type=str | None, default=None, help=told)
    parser.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")


def print_help(parser: ArgumentParser, arguments: list[str]) -> None:
    """Print the help and exit, if it is asked for: it takes no run, and shows the command's own options alone."""
    if {"-h", "--help"} & set(arguments):
        parser.epilog = SETTINGS
        parser.parse_args(["--help"])


@contextmanager
def resume_hint(command: str) -> Iterator[None]:
    """Let an interruption say which command goes on."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        error.add_note(f"go on with {command}")
        raise


def find_run(arguments: list[str], stage: Stage) -> Run:
    """Return the run that ``--run`` names, or the one that has finished a stage last.

    Raises:
        RunError: There is none.
    """
    runs = Path(option_value(arguments, "--runs") or RUNS)
    return Run.find(option_value(arguments, "--run"), runs, stage=stage)


def find_run_of_checkpoint(arguments: list[str], stage: Stage) -> Run | None:
    """Return the run as :func:`find_run` does; by ``--ckpt_path`` alone that which holds it, None if it lies in none."""
    checkpoint = option_value(arguments, "--ckpt_path")
    if checkpoint is None or option_value(arguments, "--run") is not None:
        return find_run(arguments, stage)
    folders = Path(checkpoint).resolve().parents
    return next((Run(folder) for folder in folders if (folder / "config.yaml").is_file()), None)
