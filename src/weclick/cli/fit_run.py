"""What ``weclick fit`` and ``weclick.fit`` do once their arguments are parsed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Literal

from weclick.cli import evaluate
from weclick.cli.next_step import print_next
from weclick.cli.options import Request, dump, is_file_name, option_value, to_settings
from weclick.cli.runs import resume_hint
from weclick.errors import ConfigError, NoLabelsError, TrainingError, WeclickError
from weclick.files import remove_leftovers, write_text
from weclick.machine import process_rank
from weclick.pipeline.clicks import report_newer_clicks
from weclick.pipeline.fit import check, fit
from weclick.pipeline.held_out import measurable, measures_with_clicks
from weclick.pipeline.memory import Shard
from weclick.pipeline.options import Stage
from weclick.pipeline.plan import measured, plan
from weclick.pipeline.processes import first_process_first, from_first_process, joined
from weclick.pipeline.requeue import requeued_on_notice
from weclick.pipeline.run import Run, new_folder
from weclick.pipeline.settings import Engine, FitSettings
from weclick.signals import stopping

STAGES: tuple[Stage, ...] = ("teacher", "memory", "student")


def fit_and_report(request: Request) -> None:
    """Fit a run, test its student if clicks were held out, and print the command that comes next."""
    run, settings, stages = fit_run(request, Engine())
    if process_rank() > 0:
        return
    print(f"run: {run.folder}")
    if "student" not in stages:
        print_next("fit", "--resume", str(run.folder))
    elif (labels := _labels(settings, run)) is None:
        print_next("predict", "--run", str(run.folder), "--source", "VIDEO")
    elif labels == "masks" or not request.config.report:
        print_next("test", "--run", str(run.folder))
    else:
        evaluate.main("test", ["--run", str(run.folder)])


def print_plan(request: Request) -> None:
    """Print what a fit would do, and how long it would take on this machine; nothing is kept."""
    _, run, parser, config = request
    stages = STAGES if config.stage == "all" else (config.stage,)
    settings = to_settings(parser, config)
    check(settings, stages)
    with TemporaryDirectory() as scratch:
        opened = run or Run.create(Path(scratch) / "run", dump(parser, config))
        print(*plan(settings, opened, stages), "measuring ...", sep="\n", flush=True)
        for line in measured(settings, opened, stages):
            print(line, flush=True)


def fit_run(request: Request, engine: Engine) -> tuple[Run, FitSettings, tuple[Stage, ...]]:
    """Create or open the run that the arguments of ``weclick fit`` describe, and fit it.

    Args:
        request: The parsed arguments.
        engine: What they cannot state.

    Returns:
        The run, its settings and the stages that were asked for.
    """
    arguments, run, parser, config = request
    stages = STAGES if config.stage == "all" else (config.stage,)
    shard = parse_shard(config.shard)
    if shard is not None and config.stage != "memory":
        raise ConfigError("--shard names a part of the memory; use it together with --stage memory")
    settings = replace(to_settings(parser, config), engine=engine)
    check(settings, stages)
    name = _default_name(arguments, config.arm) if config.name is None else config.name
    with stopping(), requeued_on_notice(), joined(settings):
        run, cleanup = _begin(run, Path(config.runs), name, dump(parser, config), shared=shard is not None)
        # the lock comes before the cleanup: a run that another process has locked is not ours to remove
        with resume_hint(_resume_command(run)), run.locked(shared=shard is not None), cleanup:
            remove_leftovers(run.folder, *map(run.stage, STAGES))
            report_newer_clicks(settings, run.clicks)
            with first_process_first():
                if process_rank() == 0:
                    print(*plan(settings, run, stages), sep="\n", flush=True)
            fit(settings, run, stages, shard)
    return run, settings, stages


def _begin(
    run: Run | None, runs: Path, name: str, text: str, *, shared: bool
) -> tuple[Run, AbstractContextManager[None]]:
    """Open the run in all processes, after the first has made it or written its settings; and say how to undo that.

    Args:
        run: Run to resume; None makes a new one.
        runs: Folder of all runs.
        name: Name of a new run; the first process's counts, as it may be made of the time.
        text: Settings.
        shared: Whether other fits work on the run too, perhaps with another device in their settings.
    """
    cleanup: AbstractContextManager[None] = nullcontext()
    if process_rank() > 0:
        return Run(Path(from_first_process(""))), cleanup
    if run is None:
        folder = new_folder(runs, name)
        if not folder.exists():
            cleanup = _remove_if_refused(folder)
        run = Run.create(folder, text)
    elif not shared:
        cleanup = _restore_settings_if_refused(run, text)
    from_first_process(str(run.folder))
    return run, cleanup


def _resume_command(run: Run) -> str:
    return f"weclick fit --resume {quote(str(run.folder))}"


def _labels(settings: FitSettings, run: Run) -> Literal["masks", "clicks"] | None:
    """Return what the student can be measured with: masks, else clicks that were held out, else nothing."""
    try:
        found, _ = measurable(settings, run, settings.dataset.evaluation_split)
    except NoLabelsError:
        return None
    return "clicks" if measures_with_clicks(found.dataset) else "masks"


@contextmanager
def _remove_if_refused(folder: Path) -> Iterator[None]:
    """Remove a new run's folder if it is refused before its first checkpoint or memory item, so that its name is free."""
    try:
        yield
    except TrainingError:  # the files of a diverged training may show why
        raise
    except WeclickError:
        if not any(path.suffix in (".ckpt", ".npz") for path in folder.rglob("*")):
            shutil.rmtree(folder)
        raise


@contextmanager
def _restore_settings_if_refused(run: Run, text: str) -> Iterator[None]:
    """Write the settings of a resumed run; restore the earlier ones if it is refused before it wrote anything else."""
    earlier, written = run.config.read_text(encoding="utf-8"), _write_times(run.folder)
    write_text(run.config, text)
    try:
        yield
    except TrainingError:
        raise
    except WeclickError:
        if _write_times(run.folder) == written:
            write_text(run.config, earlier)
        raise


def _write_times(folder: Path) -> dict[Path, int]:
    """Return when each file of a run that depends on its settings was written, in ns."""
    files = (path for path in folder.rglob("*") if path.suffix in (".ckpt", ".npz") or path.name == "manifest.json")
    return {path: path.stat().st_mtime_ns for path in files}


def _default_name(arguments: list[str], arm: str) -> str:
    config = option_value(arguments, "--config")
    return f"{Path(config).stem if config and is_file_name(config) else 'run'}-{arm}-{datetime.now():%Y%m%d-%H%M%S}"


def parse_shard(text: str | None) -> Shard | None:
    """Return (part, number of parts) from the option's ``i/n``.

    Raises:
        ConfigError: The text has another form, or i is not below n.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if part >= parts:
        raise ConfigError(f"--shard must be i/n with i from 0 to n-1, such as 0/4; found {text}")
    return part, parts
