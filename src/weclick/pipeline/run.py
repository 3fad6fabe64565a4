"""A run: one folder under ``runs/`` with everything that one ``fit`` writes."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Final, Literal

from weclick.clicks import CLICKS_FILE
from weclick.errors import ConfigError, RunError, one_line
from weclick.files import write_json, write_text
from weclick.inference.recorded import DONE, HASHES, checkpoint_hashes
from weclick.machine import process_rank
from weclick.pipeline.options import RUNS, Stage
from weclick.reporting.stages import BEGUN

FREE: Final = ("data.root", "data.clicks.store", "data.workers")
"""Settings that may change when a run is resumed: paths, as their content is compared instead, and what changes no sample."""


@dataclass(frozen=True)
class Run:
    """``config.yaml``, ``clicks.sqlite``, ``grown/``, ``accepted/``, ``teacher/``, ``memory/``, ``student/``, ``test/``.

    A stage is done when it holds ``done.json``. That file and ``begun.json`` hold the settings of the stage, and
    ``environments.jsonl`` what it was trained with.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """File with the settings the run was started with."""
        return self.folder / "config.yaml"

    @property
    def clicks(self) -> Path:
        """Store of the clicks it learns from: a copy of the store in use when the run began, or simulated clicks."""
        return self.folder / CLICKS_FILE

    def stage(self, stage: Stage) -> Path:
        """Return the folder of a stage."""
        return self.folder / stage

    def checkpoint(self, stage: Stage, which: Literal["best", "last"]) -> Path:
        """Return the path of a stage's checkpoint."""
        return self.stage(stage) / f"{which}.ckpt"

    def begin(self, stage: Stage, settings: dict[str, Any]) -> bool:
        """Record the settings of a stage that starts or is resumed; return False if it is finished already.

        Raises:
            RunError: It was started with other settings, or its ``last.ckpt`` is missing or damaged.
        """
        from weclick.inference.checkpoint import is_whole  # imports torch

        folder, wanted = self.stage(stage), json.loads(json.dumps(settings))
        done = (folder / DONE).exists()
        file, last = folder / (DONE if done else BEGUN), self.checkpoint(stage, "last")
        if done or (file.exists() and last.exists()):
            differing = list(_differing(_read_settings(file), wanted))
            if differing:
                raise RunError(
                    f"the {stage} in {self.folder} is {'finished' if done else 'begun'}, with other "
                    f"{', '.join(differing)}; set them as they were, start a new run, or delete {folder} to train it again"
                )
            if not is_whole(last):
                raise RunError(
                    f"the {stage} in {self.folder} is {'finished' if done else 'begun'}, but {last} is "
                    f"{'damaged' if last.exists() else 'missing'}; put it back, or delete {folder} to train it again"
                )
        elif process_rank() == 0:
            write_json(file, settings)
        return not done

    def mark_done(self, stage: Stage, settings: dict[str, Any]) -> None:
        """Record the settings of a finished stage, and the hashes of its checkpoints."""
        if process_rank() == 0:
            folder = self.stage(stage)
            write_json(folder / DONE, {**settings, HASHES: checkpoint_hashes(folder)})

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """Lock the run against other processes; with ``shared``, only against those that do not share it.

        Raises:
            RunError: Another process has locked it.
        """
        if process_rank() > 0:  # the first process holds the lock for all of a training's processes
            yield
            return
        with (self.folder / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError:
                raise RunError(f"another process is fitting {self.folder}; wait for it, or stop it") from None
            yield

    @classmethod
    def create(cls, folder: Path, config: str) -> Run:
        """Make a new run folder with its ``config.yaml``.

        Raises:
            RunError: It exists, or the folder cannot be written.
        """
        if (folder / "config.yaml").exists():
            raise RunError(
                f"run {folder} exists; resume it with --resume {quote(folder.name)}, or choose another --name"
            )
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
        places = (Path(name), runs / name)
        for folder in places:
            if (folder / "config.yaml").is_file():
                return cls(folder)
        existing = f"{runs}/ has: {', '.join(_names(runs)) or 'none'}"
        for folder in places:
            if folder.is_dir():
                raise RunError(
                    f"{folder} is not a run: it has no config.yaml; put that back, or name another run; {existing}"
                )
        raise RunError(f"no run {name!r} here or in {runs}/; {existing}")

    @classmethod
    def find(cls, name: str | None, runs: Path = RUNS, *, stage: Stage = "student") -> Run:
        """Return the run of a name or path; without one, the run whose stage was finished last.

        Raises:
            RunError: There is none.
        """
        return cls.newest(runs, stage=stage) if name is None else cls.open(name, runs)

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


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise TypeError("it holds no settings")
        settings.pop(HASHES, None)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunError(
            f"{file} is damaged ({one_line(error)}); put it back, or delete {file.parent} to train it again"
        ) from None
    return settings


def _differing(stored: dict[str, Any], wanted: dict[str, Any], group: str = "") -> Iterator[str]:
    """Yield the dotted names of settings that differ, without those that may."""
    for name in sorted(stored.keys() | wanted.keys()):
        one, other = stored.get(name), wanted.get(name)
        if f"{group}{name}" in FREE:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differing(one, other, f"{group}{name}.")
        elif one != other:
            yield f"{group}{name}"


def _names(runs: Path) -> list[str]:
    return sorted(file.parent.name for file in runs.glob("*/config.yaml"))


def new_folder(runs: Path, name: str) -> Path:
    """Return the folder in ``runs`` for a new run or comparison.

    Raises:
        ConfigError: The name is a path to another folder, empty, not printable, or starts with a dot.
    """
    if Path(name).name != name or name.startswith(".") or not name.isprintable() or not name:
        raise ConfigError(
            f"--name {name} must be a plain folder name, without / or a leading dot; --runs names the folder above"
        )
    return runs / name
