"""``weclick benchmark``: how fast student, training and prediction are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from jsonargparse import ArgumentParser, Namespace

from weclick.callbacks.progress import progress_bar
from weclick.cli.options import add_settings, calm, parse, resolve_configs, to_settings
from weclick.errors import ConfigError, RunError
from weclick.pipeline.benchmark.table import BenchmarkTable
from weclick.pipeline.run import RUNS, Run
from weclick.serve.export import FORMATS

DESCRIPTION: Final = "Measure speed, all in turns within one process; print a table, write it as CSV, JSON and a plot."


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
        run: Runs whose students to time, by name or folder, with commas between; their exported files and mIoU are used.
        size: Height and width of the frames.
        classes: Number of classes of the networks without a run.
        rounds: Measurements of each.
        alternatives: Also time the usual networks, with random weights.
        runs: Folder of all runs.
    """
    from weclick.pipeline.benchmark import student as part

    if not run and not alternatives:
        raise ConfigError("nothing to time: name a --run, or leave --alternatives on")
    trained = [part.of_run(Run.open(name, Path(runs))) for name in run.split(",")] if run else []
    usual = part.alternatives(classes) if alternatives else []
    with progress_bar("student") as progress:
        return part.benchmark_student(part.replace_alternatives(usual, trained), size, rounds=rounds, progress=progress)


def video(
    source: str,
    run: str | None = None,
    rounds: int = 3,
    max_frames: int | None = None,
    runs: str = str(RUNS),
) -> BenchmarkTable:
    """Time predict on a video, with a run's checkpoint and its exported files.

    Args:
        source: Video file or folder of images.
        run: Run whose student to use, by name or folder; by default the newest.
        rounds: Predictions with each.
        max_frames: Stop each prediction after so many frames.
        runs: Folder of all runs.
    """
    from weclick.pipeline.benchmark.video import benchmark_video

    chosen = Run.open(run, Path(runs)) if run else Run.newest(Path(runs))
    checkpoint = chosen.checkpoint("student", "last")
    if not checkpoint.exists():
        raise RunError(f"{chosen.folder} has no student checkpoint; train it with weclick fit")
    exports = {name: chosen.folder / "export" / made.file for name, made in FORMATS.items()}
    models = {"torch": checkpoint, **{name: path for name, path in exports.items() if path.exists()}}
    with progress_bar("video") as progress:
        return benchmark_video(models, source, rounds=rounds, max_frames=max_frames, progress=progress)


PARTS: Final[dict[str, Callable[..., BenchmarkTable]]] = {"student": student, "video": video}


def parser() -> ArgumentParser:
    """Return the parser of ``weclick benchmark``."""
    made = ArgumentParser(prog="weclick benchmark", description=DESCRIPTION, exit_on_error=False)
    parts = made.add_subcommands(dest="part", required=True)
    for name, function in PARTS.items():
        part = ArgumentParser(description=str(function.__doc__).partition("\n")[0], exit_on_error=False)
        part.add_function_arguments(function, as_group=False)
        _add_out(part, name)
        parts.add_subcommand(name, part, help=part.description)
    train = train_parser()
    parts.add_subcommand("train", train, help=train.description)
    return made


def train_parser() -> ArgumentParser:
    """Return the parser of ``weclick benchmark train``."""
    made = ArgumentParser(
        prog="weclick benchmark train",
        description="Time training with stored and online memory, plain supervision, and the network alone.",
        exit_on_error=False,
    )
    made.add_argument("--rounds", type=int, default=5, help="blocks of steps of each way to train")
    made.add_argument("--steps", type=int, default=4, help="timed steps of a block")
    _add_out(made, "train")
    add_settings(made)
    return made


def _add_out(part: ArgumentParser, name: str) -> None:
    part.add_argument("--out", type=str, default="runs/benchmark", help=f"folder for {name}.csv, .json and .png")


def main(command: str, arguments: list[str]) -> None:
    """Parse, measure, print and write."""
    calm()
    if arguments[:1] == ["train"]:  # has a config, which a parser of its own understands
        chosen = parse(train_parser(), resolve_configs(arguments[1:]))
        run: Callable[..., BenchmarkTable] = train_table
        options = {"chosen": chosen}
    else:
        config = parser().parse_args(arguments)
        chosen = config[config.part]
        run, options = PARTS[config.part], chosen.as_dict()
        options.pop("out")
    if chosen.rounds < 1:
        raise ConfigError(f"--rounds must be at least 1, found {chosen.rounds}")
    table = run(**options)
    table.print()
    print("written: " + ", ".join(map(str, table.write(Path(chosen.out)))))


def train_table(chosen: Namespace) -> BenchmarkTable:
    """Run the part ``train``."""
    from weclick.pipeline.benchmark.train import benchmark_train

    if chosen.steps < 1:
        raise ConfigError(f"--steps must be at least 1, found {chosen.steps}")
    settings = to_settings(train_parser(), chosen)
    with TemporaryDirectory() as scratch, progress_bar("train") as progress:
        return benchmark_train(settings, Path(scratch), rounds=chosen.rounds, steps=chosen.steps, progress=progress)
