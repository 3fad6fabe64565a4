"""``weclick benchmark``: how fast student, training, memory and prediction are."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from weclick.cli.help import Help, show_help
from weclick.cli.options import (
    add_settings,
    parse,
    quiet_libraries,
    resolve_configs,
    show_settings_help,
    to_settings,
)
from weclick.cli.parser import Parser, choose_part
from weclick.errors import ConfigError, RunError
from weclick.inference.formats import FORMATS
from weclick.pipeline.options import RUNS
from weclick.reporting.progress import progress_bar

FitSettings: TypeAlias = Any
BenchmarkTable: TypeAlias = Any
"""Settings and result of a part; their types are not named, as jsonargparse would import them, and torch with them."""

DESCRIPTION: Final = """Measure speed; print a table, and write it as CSV, JSON and a plot.

All variants are measured in turns within one process, so that a change of the machine's load affects all of them.
"""


def student(
    run: str | None = None,
    size: tuple[int, int] = (384, 480),
    classes: int = 11,
    rounds: int = 20,
    alternatives: bool = True,
    runs: str = str(RUNS),
) -> BenchmarkTable:
    """Time single frames through our student and the usual alternatives, on the CPU.

    Args:
        run: Runs whose students to time, by name or folder, with commas between. Their exported files are timed, too, and
            the table shows their mIoU.
        size: Height and width of the frames.
        classes: Number of classes of the networks without a run.
        rounds: Measurements of each network.
        alternatives: Also time networks that are commonly used for this task, with random weights.
        runs: Folder of all runs.
    """
    from weclick.pipeline.benchmark import student as part
    from weclick.pipeline.run import Run

    if min(*size, classes) < 1:
        raise ConfigError(f"--size {list(size)} and --classes {classes} must be at least 1")
    if not run and not alternatives:
        raise ConfigError("nothing to time: name a --run, or leave --alternatives on")
    trained = [part.of_run(Run.open(name, Path(runs))) for name in run.split(",")] if run else []
    usual = [part.Candidate.untrained(*names, classes, size) for names in part.ALTERNATIVES] if alternatives else []
    with progress_bar("student") as progress:
        return part.benchmark_student(part.replace_alternatives(usual, trained), size, rounds=rounds, progress=progress)


def video(
    source: str,
    run: str | None = None,
    rounds: int = 3,
    max_frames: int | None = None,
    runs: str = str(RUNS),
) -> BenchmarkTable:
    """Time weclick predict on a video, with a run's checkpoint and its exported files.

    Args:
        source: Video file or folder of images.
        run: Run whose student to use, by name or folder; by default the newest.
        rounds: Predictions with each model.
        max_frames: Stop each prediction after this many frames.
        runs: Folder of all runs.
    """
    from weclick.pipeline.benchmark.video import benchmark_video
    from weclick.pipeline.run import Run

    opened = Run.find(run, Path(runs))
    checkpoint = opened.checkpoint("student", "last")
    if not checkpoint.exists():
        raise RunError(f"{opened.folder} has no student checkpoint; train it with weclick fit")
    exports = {name: opened.folder / "export" / format.file for name, format in FORMATS.items()}
    models = {"torch": checkpoint, **{name: path for name, path in exports.items() if path.exists()}}
    with progress_bar("video") as progress:
        return benchmark_video(models, source, rounds=rounds, max_frames=max_frames, progress=progress)


def train(settings: FitSettings, rounds: int = 5, steps: int = 4, loader_only: bool = False) -> BenchmarkTable:
    """Time training with stored and online memory, plain supervision, and the network alone; or the loader.

    Args:
        settings: What to train.
        rounds: Blocks of steps for each way to train.
        steps: Timed steps per block.
        loader_only: Time one loader process and its stages (reading, decoding, drawing) instead, without any network.
    """
    from weclick.pipeline.benchmark.loader import benchmark_loader
    from weclick.pipeline.benchmark.train import benchmark_train

    if steps < 1:
        raise ConfigError(f"--steps must be at least 1, found {steps}")
    with TemporaryDirectory() as scratch, progress_bar("train") as progress:
        benchmark = benchmark_loader if loader_only else benchmark_train
        return benchmark(settings, Path(scratch), rounds=rounds, steps=steps, progress=progress)


def memory(settings: FitSettings, rounds: int = 3, targets: int = 16) -> BenchmarkTable:
    """Time building the memory, and each of its stages.

    Args:
        settings: What to build: data, teacher, flow and options of the memory.
        rounds: Builds.
        targets: Targets of each build.
    """
    from weclick.pipeline.benchmark.memory import benchmark_memory

    if targets < 1:
        raise ConfigError(f"--targets must be at least 1, found {targets}")
    with TemporaryDirectory() as scratch, progress_bar("memory") as progress:
        return benchmark_memory(settings, Path(scratch), rounds=rounds, targets=targets, progress=progress)


PARTS: Final[dict[str, Callable[..., BenchmarkTable]]] = {
    "student": student,
    "train": train,
    "memory": memory,
    "video": video,
}
"""Functions whose arguments are the options; a part with an argument ``settings`` takes all options of a config, too."""


OFTEN: Final = ("data.root", "data.size", "data.batch_size", "data.workers", "trainer.accelerator")
"""Options of a config that are used most."""


def make_part_parser(name: str) -> Parser:
    """Return the parser of one of the ``PARTS``."""
    function = PARTS[name]
    summary = str(function.__doc__).partition("\n")[0]
    parser = Parser(prog=f"weclick benchmark {name}", description=summary)
    parser.add_function_arguments(function, as_group=False, skip={"settings"})
    parser.add_argument(
        "--out", type=str, default="runs/benchmark", help="folder for the table as .csv, .json and .png"
    )
    if "settings" in signature(function).parameters:
        add_settings(parser)
    return parser


def main(command: str, arguments: list[str]) -> None:
    """Measure, print the table and write its files."""
    quiet_libraries()
    name = choose_part(PARTS, f"weclick {command}", DESCRIPTION, arguments)
    function, parser, arguments = PARTS[name], make_part_parser(name), resolve_configs(arguments[1:])
    takes_settings = "settings" in signature(function).parameters
    if takes_settings:
        own = [option for option in signature(function).parameters if option != "settings"]
        show_settings_help(parser, arguments, Help(("config", *own, "out", *OFTEN)))
    else:
        show_help(parser, arguments, Help())
    config = parse(parser, arguments)
    if config.rounds < 1:
        raise ConfigError(f"--rounds must be at least 1, found {config.rounds}")
    options = {name: config[name] for name in signature(function).parameters if name != "settings"}
    if takes_settings:
        options["settings"] = to_settings(parser, config)
    table = function(**options)
    table.print()
    print("written: " + ", ".join(map(str, table.write(Path(config.out)))))
