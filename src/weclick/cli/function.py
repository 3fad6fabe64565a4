"""``weclick.fit`` and ``weclick.test``: the commands as functions, for programs and for engines that run Python."""

from __future__ import annotations

import json
import warnings
from argparse import ArgumentError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.strategies import Strategy

from weclick.cli.evaluate import evaluate_run
from weclick.cli.evaluate import parse_request as parse_evaluation
from weclick.cli.fit import parse_request
from weclick.cli.fit_run import fit_run
from weclick.cli.options import quiet_libraries
from weclick.cli.usage import plain
from weclick.errors import ConfigError
from weclick.pipeline.options import RUNS
from weclick.pipeline.settings import Engine


def fit(
    config: str | PathLike[str] | Mapping[str, Any],
    *,
    strategy: str | Strategy | None = None,
    plugins: Sequence[Any] = (),
    name: str | None = None,
    runs: str | PathLike[str] = RUNS,
    resume: str | PathLike[str] | None = None,
    stage: Literal["all", "teacher", "memory", "student"] = "all",
) -> Path:
    """Train teacher, memory and student, as ``weclick fit`` does.

    Under torchrun, srun or Ray all processes call this alike.

    Args:
        config: YAML file or name of a config, or its options as a mapping, with groups as mappings in it.
        strategy: Strategy of Lightning's Trainer, by name or as an object that no Trainer has used; by default the config's.
        plugins: Plugins of Lightning's Trainer, such as a cluster environment.
        name: Name of a new run; by default made of config, arm and time.
        runs: Folder of all runs.
        resume: Run to resume, by name or folder. The same name as ``name`` starts the run if there is none yet.
        stage: Stage to run.

    Returns:
        Folder of the run.

    Raises:
        WeclickError: Config, data or run are refused, or the training failed.
        Interrupted: A signal was received; everything is saved. Not an ``Exception``.

    Example:
        Train on a data set with the options of a shipped config for the student::

            weclick.fit({"data": {"root": "mydata"}, "student": "student/light.yaml"}, name="first")
    """
    given = json.dumps(config, default=str) if isinstance(config, Mapping) else str(config)
    options = {"config": given, "stage": stage, "name": name, "runs": runs, "resume": resume}
    with _as_function():
        run, _, _ = fit_run(parse_request(_arguments(options)), Engine(strategy, tuple(plugins)))
    return run.folder


def test(
    run: str | PathLike[str] | None = None,
    *,
    checkpoint: str | PathLike[str] | None = None,
    stage: Literal["teacher", "student"] = "student",
    runs: str | PathLike[str] = RUNS,
) -> dict[str, Any]:
    """Evaluate a trained network with masks, or without any with held-out clicks, and write a report, as ``weclick test`` does.

    Args:
        run: Run by name or folder; by default the newest.
        checkpoint: Checkpoint or exported model to evaluate instead of the run's.
        stage: Network to evaluate.
        runs: Folder of all runs.

    Returns:
        What the report's ``metrics.json`` holds: ``measured_with`` (``masks`` or ``clicks``), ``miou``, ``accuracy``, ``iou`` and
        ``class_accuracy`` by class, ``temporal_consistency``, ``speed`` and more; None where something is not defined or was not
        measured, as mIoU with clicks.

    Raises:
        WeclickError: There is no such run or checkpoint, or neither masks nor held-out clicks to evaluate with.

    Example:
        Train, then print the student's mIoU::

            run = weclick.fit({"data": {"root": "mydata"}})
            print(weclick.test(run)["miou"])
    """
    options = {"run": run, "ckpt_path": checkpoint, "stage": stage, "runs": runs}
    with _as_function():
        _, _, folder = evaluate_run("test", parse_evaluation("test", _arguments(options)))
    assert folder is not None
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def _arguments(options: Mapping[str, object]) -> list[str]:
    return [f"--{option}={value}" for option, value in options.items() if value is not None]


@contextmanager
def _as_function() -> Iterator[None]:
    """Restore the program's filters of warnings afterwards, and raise refusals of the parser as errors of weclick.

    Raises:
        ConfigError: The parser refused an option.
    """
    with warnings.catch_warnings():
        quiet_libraries()
        try:
            yield
        except ArgumentError as error:
            raise ConfigError(plain(str(error))) from error
