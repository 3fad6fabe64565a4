"""Options that name a run, and the search for it, which comes before parsing: the run's config.yaml is parsed, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from weclick.cli.options import option_value, parse, read_settings
from weclick.cli.parser import Parser
from weclick.errors import ConfigError, WeclickError
from weclick.pipeline.options import RUNS, Stage

if TYPE_CHECKING:
    from weclick.pipeline.run import Run

SETTINGS: Final = """All settings of the run's config.yaml are options too: --data.root FOLDER selects another data set.
`weclick fit --help all` lists them."""


def add_run(parser: Parser, help_text: str) -> None:
    """Add the options that name a run; ``help_text`` describes ``--run``."""
    parser.add_argument("--run", type=str | None, default=None, help=help_text)
    parser.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")


@contextmanager
def resume_hint(command: str) -> Iterator[None]:
    """Add to the message which command resumes, after an interruption or an error that is not in what the user gave."""
    try:
        yield
    except WeclickError:
        raise
    except BaseException as error:
        error.add_note(f"resume with {command}")
        raise


def config_of(run: Run) -> list[str]:
    """Return the arguments that read a run's settings.

    Raises:
        ConfigError: They cannot be read, or are truncated: what is missing would silently become defaults.
    """
    whole = "trainer" in read_settings(run.config) and run.config.read_bytes().endswith(
        b"\n"
    )  # the last group that is written
    if not whole:
        raise ConfigError(f"config {run.config} is truncated; put back a copy, or train again")
    return ["--config", str(run.config)]


def refuse_wrong_options(parser: Parser, arguments: list[str]) -> None:
    """Refuse what the parser refuses whatever the run: its config is read later, and a wrong option may be that of the run.

    Raises:
        ArgumentError: An option is unknown or has a wrong value.
    """
    parse(parser, ["--data.root=", *arguments])


def find_run(arguments: list[str], stage: Stage) -> Run:
    """Return the run that ``--run`` names, by default the one whose ``stage`` was finished last.

    Raises:
        RunError: There is none.
    """
    from weclick.pipeline.run import Run

    runs = Path(option_value(arguments, "--runs") or RUNS)
    return Run.find(option_value(arguments, "--run"), runs, stage=stage)


def find_run_of_checkpoint(arguments: list[str], stage: Stage) -> Run | None:
    """Return the run that holds the file of ``--ckpt_path``, None if it lies in no run.

    With ``--run``, or without ``--ckpt_path``, return the run that :func:`find_run` returns.
    """
    from weclick.pipeline.run import Run

    checkpoint = option_value(arguments, "--ckpt_path")
    if checkpoint is None or option_value(arguments, "--run") is not None:
        return find_run(arguments, stage)
    folders = Path(checkpoint).resolve().parents
    return next((Run(folder) for folder in folders if (folder / "config.yaml").is_file()), None)
