"""A run: one folder under ``runs/`` that holds everything one ``fit`` made."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lightning.pytorch.utilities import rank_zero_only

from weclick.errors import RunError
from weclick.files import write_json, write_text
from weclick.processes import process_rank

RUNS: Final = Path("runs")
Stage = Literal["teacher", "memory", "student"]
DONE: Final = "done.json"


@dataclass(frozen=True)
class Run:
    """``config.yaml``, ``teacher/``, ``memory/``, ``student/``, ``test/``; a stage is done when it holds ``done.json``."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """The settings the run was started with."""
        return self.folder / "config.yaml"

    @property
    def clicks(self) -> Path:
        """Where simulated clicks go when the data set has none."""
        return self.folder / "clicks.sqlite"

    def stage(self, stage: Stage) -> Path:
        """Return the folder of a stage."""
        return self.folder / stage

    def checkpoint(self, stage: Stage, which: Literal["best", "last"]) -> Path:
        """Return the path of a stage's checkpoint."""
        return self.stage(stage) / f"{which}.ckpt"

    def is_done(self, stage: Stage, settings: dict[str, Any]) -> bool:
        """Tell whether a stage is finished.

        Raises:
            RunError: It is, but with other settings than these.
        """
        file = self.stage(stage) / DONE
        if not file.exists():
            return False
        had, wanted = json.loads(file.read_text(encoding="utf-8")), json.loads(json.dumps(settings))
        differing = sorted(name for name in had | wanted if had.get(name) != wanted.get(name))
        if differing:
            raise RunError(
                f"the {stage} in {self.folder} is finished, with other {', '.join(differing)}; start a new run, or "
                f"delete {file.parent} to do it anew"
            )
        return True

    @rank_zero_only
    def mark_done(self, stage: Stage, settings: dict[str, Any]) -> None:
        """Record that a stage is finished, and with which settings."""
        write_json(self.stage(stage) / DONE, settings)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from fitting the same run.

        Raises:
            RunError: Another process is at it.
        """
        if process_rank() > 0:  # the lock of the first process is for all of this training
            yield
            return
        with (self.folder / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(
                    f"another process is fitting {self.folder}; wait for it, or choose another --name"
                ) from None
            yield

    @classmethod
    def create(cls, folder: Path, config: str) -> Run:
        """Make a new run folder with its ``config.yaml``.

        Raises:
            RunError: It exists, or the place cannot be written.
        """
        if (folder / "config.yaml").exists():
            raise RunError(f"run {folder} exists; resume it with --resume {folder.name}, or choose another --name")
        try:
            write_text(folder / "config.yaml", config)
        except OSError as error:
            raise RunError(
                f"run folder {folder} cannot be made ({error.strerror}); check the disk and --runs"
            ) from None
        return cls(folder)

    @classmethod
    def open(cls, name: str, runs: Path = RUNS) -> Run:
        """Open a run by its name or path.

        Raises:
            RunError: There is no such run.
        """
        for folder in (Path(name), runs / name):
            if (folder / "config.yaml").is_file():
                return cls(folder)
        raise RunError(f"no run {name!r} here or in {runs}/; it has: {', '.join(_names(runs)) or 'none'}")

    @classmethod
    def newest(cls, runs: Path = RUNS, *, stage: Stage = "student") -> Run:
        """Return the run whose stage was finished last.

        Raises:
            RunError: No run has finished that stage.
        """
        finished = sorted(runs.glob(f"*/{stage}/{DONE}"), key=lambda file: file.stat().st_mtime_ns)
        if not finished:
            raise RunError(
                f"no run in {runs}/ has a finished {stage}; train one with weclick fit, or name it with --run"
            )
        return cls(finished[-1].parents[1])


def _names(runs: Path) -> list[str]:
    return sorted(file.parent.name for file in runs.glob("*/config.yaml"))


def shared_name(name: str) -> str:
    """Return ``name`` in the process the user started, and that same name in processes it starts for other devices."""
    if process_rank() > 0:
        return os.environ.get("WECLICK_RUN_NAME", name)
    os.environ["WECLICK_RUN_NAME"] = name
    return name
