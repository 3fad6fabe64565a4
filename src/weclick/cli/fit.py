"""``weclick fit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from weclick.cli.help import Help
from weclick.cli.options import (
    Request,
    add_settings,
    option_value,
    parse,
    quiet_libraries,
    resolve_configs,
    show_settings_help,
)
from weclick.cli.parser import Parser
from weclick.cli.runs import config_of
from weclick.errors import ConfigError
from weclick.machine import process_rank
from weclick.pipeline.options import RUNS

if TYPE_CHECKING:
    from weclick.pipeline.run import Run

DESCRIPTION: Final = """Train the whole pipeline: a teacher from clicks, the memory, and the student, which then needs neither.

Everything goes into runs/NAME: config.yaml, teacher/, memory/, student/. Finished stages are reused. After an interruption
(Ctrl-C, SIGTERM or a crash), resume with: weclick fit --resume NAME
"""

HELP: Final = Help(
    often=(
        *("config", "data.root", "arm", "name", "resume", "stage", "dry_run", "seed"),
        *("data.size", "data.batch_size", "data.workers", "data.clips.neighbours"),
        *("student.network.name", "student.network.encoder", "student.optimiser.learning_rate"),
        *("trainer.max_epochs", "trainer.accelerator", "trainer.devices", "memory.flow", "tracking.wandb"),
    ),
    examples=(
        "weclick fit --config camvid.yaml --data.root data/camvid --arm beyond",
        "weclick fit --config camvid.yaml --data.root data/camvid --dry_run true",
        "weclick fit --resume NAME",
    ),
)


def make_parser() -> Parser:
    """Return the parser of ``weclick fit``."""
    parser = Parser(prog="weclick fit", description=DESCRIPTION)
    parser.add_argument(
        "--stage", type=Literal["all", "teacher", "memory", "student"], default="all", help="do only this stage"
    )
    parser.add_argument(
        "--resume",
        type=str | None,
        default=None,
        help="run to resume, by name or folder; with the same --name: if it exists",
    )
    parser.add_argument(
        "--name", type=str | None, default=None, help="name of the new run; default: made of config, arm and time"
    )
    parser.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")
    parser.add_argument(
        "--shard",
        type=str | None,
        default=None,
        help="i/n: build only part i (from 0) of n parts of the memory, so that several machines can share the work; "
        "leaves config.yaml as it is",
    )
    parser.add_argument(
        "--dry_run",
        type=bool,
        default=False,
        help="print the plan and how long each stage takes, measured on a step of it, and stop; nothing is kept",
    )
    parser.add_argument(
        "--report",
        type=bool,
        default=True,
        help="where clicks were held out from training: end as weclick test does, with the share of them that the student gets "
        "right and a report; with masks, training measures on val, and weclick test measures at the end",
    )
    add_settings(parser)
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Create or open the run, fit it, and print what comes next."""
    quiet_libraries()
    request = parse_request(arguments)
    if process_rank() == 0:
        print("reading settings and data ...", flush=True)
    from weclick.cli.fit_run import fit_and_report, print_plan  # Lightning, which takes seconds

    (print_plan if request.config.dry_run else fit_and_report)(request)


def parse_request(arguments: list[str]) -> Request:
    """Parse the arguments of ``weclick fit``; print the help and exit if they request it.

    Raises:
        ArgumentError: An option is unknown or has a wrong value.
        ConfigError: A config cannot be read.
        RunError: The run to resume does not exist.
    """
    arguments, parser = resolve_configs(arguments), make_parser()
    show_settings_help(parser, arguments, HELP)
    run = _run_to_resume(arguments, Path(option_value(arguments, "--runs") or RUNS))
    config = parse(parser, [*config_of(run), *arguments] if run else arguments)
    return Request(arguments, run, parser, config)


def _run_to_resume(arguments: list[str], runs: Path) -> Run | None:
    """Return the run of ``--resume``; None for a new one.

    The same name in ``--name`` starts the run if there is none yet, so that a job can be restarted with its own command.
    """
    from weclick.pipeline.run import Run, new_folder

    resumed, name = option_value(arguments, "--resume"), option_value(arguments, "--name")
    if resumed is None or name is None:
        return Run.open(resumed, runs) if resumed is not None else None
    if name != resumed:
        raise ConfigError(
            f"--name {name} is for a new run, and --resume {resumed} for another; give one of them, or both with one name to "
            "start the run or, if it exists, to resume it"
        )
    run = Run(new_folder(runs, name))
    return run if run.config.exists() else None
