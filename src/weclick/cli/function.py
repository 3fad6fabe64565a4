"""``weclick.fit``: the command as a function, for programs and for engines that run Python."""

from __future__ import annotations

import json
import warnings
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.strategies import Strategy

from weclick.cli.fit import fit_run
from weclick.cli.options import quiet_libraries
from weclick.cli.usage import plain
from weclick.errors import ConfigError
from weclick.pipeline.run import RUNS
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
    arguments = [f"--{option}={value}" for option, value in options.items() if value is not None]
    with warnings.catch_warnings():  # the filters of the program come back
        quiet_libraries()
        try:
            run, _, _ = fit_run(arguments, Engine(strategy, tuple(plugins)))
        except ArgumentError as error:
            raise ConfigError(plain(str(error))) from error
    return run.folder
