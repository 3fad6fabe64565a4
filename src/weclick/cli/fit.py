"""``weclick fit``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Literal

from jsonargparse import ArgumentParser

from weclick.cli.options import add_settings, dump, option_value, parse, quiet_libraries, resolve_configs, to_settings
from weclick.cli.runs import resume_hint
from weclick.errors import ConfigError, TrainingError, WeclickError
from weclick.files import write_text
from weclick.machine import process_rank
from weclick.pipeline.clicks import report_newer_clicks
from weclick.pipeline.fit import check, fit
from weclick.pipeline.memory import Shard
from weclick.pipeline.run import RUNS, Run, Stage, new_folder, shared_name
from weclick.pipeline.settings import FitSettings

STAGES: tuple[Stage, ...] = ("teacher", "memory", "student")

DESCRIPTION = """Train the whole pipeline: a teacher from clicks, the memory, and the student that runs alone.

Everything goes into runs/NAME: config.yaml, teacher/, memory/, student/. Stages that are finished are reused.
Interrupted (Ctrl-C, SIGTERM, or worse)? Go on with: weclick fit --resume NAME
"""


def parser() -> ArgumentParser:
    """Return the parser of ``weclick fit``."""
    made = ArgumentParser(prog="weclick fit", description=DESCRIPTION, exit_on_error=False)
    made.add_argument(
        "--stage", type=Literal["all", "teacher", "memory", "student"], default="all", help="only this stage of the run"
    )
    made.add_argument("--resume", type=str | None, default=None, help="run to go on with, by name or folder")
    made.add_argument("--name", type=str | None, default=None, help="of the run; default: config, arm and time")
    made.add_argument("--runs", type=str, default=str(RUNS), help="folder of all runs")
    made.add_argument(
        "--shard",
        type=str | None,
        default=None,
        help="i/n: build only this part of the memory (from 0); keeps config.yaml",
    )
    add_settings(made)
    return made


def main(command: str, arguments: list[str]) -> None:
    """Parse, find or make the run, and fit."""
    quiet_libraries()
    arguments = resolve_configs(arguments)
    resumed = option_value(arguments, "--resume")
    runs = Path(option_value(arguments, "--runs") or RUNS)
    run = Run.open(resumed, runs) if resumed else None
    made = parser()
    config = parse(made, ["--config", str(run.config), *arguments] if run else arguments)
    stages = STAGES if config.stage == "all" else (config.stage,)
    shard = parse_shard(config.shard)
    if shard is not None and config.stage != "memory":
        raise ConfigError("--shard is a part of the memory; give it with --stage memory")
    settings = to_settings(made, config)
    check(settings, stages)
    cleanup: AbstractContextManager[None] = nullcontext()
    if run is not None and process_rank() == 0 and shard is None:  # of several parts each may have a device of its own
        cleanup = _settings_back_if_refused(run, dump(made, config))
    if run is None:
        folder = new_folder(runs, shared_name(config.name or _default_name(arguments, config.arm)))
        if process_rank() == 0 and not folder.exists():
            cleanup = _gone_if_refused(folder)
        run = Run.create(folder, dump(made, config)) if process_rank() == 0 else Run(folder)
    resume = f"weclick fit --resume {quote(str(run.folder))}"
    # what another process has locked is not ours to remove
    with resume_hint(resume), run.locked(shared=shard is not None), cleanup:
        report_newer_clicks(settings, run.clicks)
        fit(settings, run, stages, shard)
    if process_rank() == 0:
        print(f"run: {run.folder}   next: {_look(settings, run) if 'student' in stages else resume}")


def _look(settings: FitSettings, run: Run) -> str:
    """Return the command that shows how good the student is; without masks one can only look at what it does."""
    dataset, named = settings.dataset, f"--run {quote(str(run.folder))}"
    return (
        f"weclick test {named}"
        if dataset.labelled(dataset.evaluation_split)
        else f"weclick predict {named} --source VIDEO"
    )


@contextmanager
def _gone_if_refused(folder: Path) -> Iterator[None]:
    """Remove a new run's folder after a refusal before its first checkpoint and memory item: its name is free again."""
    try:
        yield
    except TrainingError:  # what a diverged training leaves may tell why
        raise
    except WeclickError:
        if not any(path.suffix in (".ckpt", ".npz") for path in folder.rglob("*")):
            shutil.rmtree(folder)
        raise


@contextmanager
def _settings_back_if_refused(run: Run, text: str) -> Iterator[None]:
    """Write down the settings a run goes on with; a refusal before anything was made with them leaves those it had."""
    had, made = run.config.read_text(encoding="utf-8"), _made(run.folder)
    write_text(run.config, text)
    try:
        yield
    except TrainingError:
        raise
    except WeclickError:
        if _made(run.folder) == made:
            write_text(run.config, had)
        raise


def _made(folder: Path) -> dict[Path, int]:
    """Return when each file of a run was written that depends on its settings."""
    found = (path for path in folder.rglob("*") if path.suffix in (".ckpt", ".npz") or path.name == "manifest.json")
    return {path: path.stat().st_mtime_ns for path in found}


def _default_name(arguments: list[str], arm: str) -> str:
    config = option_value(arguments, "--config")
    return f"{Path(config).stem if config else 'run'}-{arm}-{datetime.now():%Y%m%d-%H%M%S}"


def parse_shard(text: str | None) -> Shard | None:
    """Return (i, n) from ``i/n``.

    Raises:
        ConfigError: It is not of that form, or i is not below n.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if part >= parts:
        raise ConfigError(f"--shard {text} must be i/n with i from 0 to n-1, such as 0/4")
    return part, parts
