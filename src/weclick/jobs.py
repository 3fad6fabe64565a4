"""Jobs: commands of weclick that run one after the other, in a process that outlives the one that starts it.

A job has three files. ``NAME.json`` holds its steps and how far they are, ``NAME.log`` what they print. ``NAME.lock`` is
locked as long as the job runs, and holds its process id: so only one can run, and no other process is taken for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal

from weclick.files import write_json

Outcome = Literal["running", "done", "stopped", "failed"]
Command = Sequence[str]
"""Arguments of ``weclick``."""

NICENESS: Final = 5
"""A job leaves the processor to those who wait for an answer."""

_LOG_TAIL: Final = 1 << 16


@dataclass(frozen=True)
class JobState:
    """How far a job is.

    Args:
        steps: Its commands.
        facts: What the caller recorded with it.
        outcome: "running", or how it ended.
        step: Position of the command that runs or ended it.
        message: Why it failed, in one line.
    """

    steps: tuple[tuple[str, ...], ...]
    facts: Mapping[str, Any]
    outcome: Outcome = "running"
    step: int = 0
    message: str = ""


class Job:
    """A job by the place of its files.

    Args:
        folder: Folder of the files.
        name: Their name without suffix.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._state, self._lock, self.log = (folder / f"{name}.{suffix}" for suffix in ("json", "lock", "log"))

    def start(self, steps: Sequence[Command], facts: Mapping[str, Any]) -> bool:
        """Start the job in a session of its own; return False if it is running already."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as lock:
            if not _try_lock(lock.fileno(), fcntl.LOCK_EX):
                return False
            lock.truncate(0)  # the id of an earlier process
            self._write(JobState(tuple(map(tuple, steps)), dict(facts)))
            with self.log.open("wb") as log:
                # the process inherits the lock; -P: nothing is imported from the current folder
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "weclick.jobs", str(self._state), str(lock.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[lock.fileno()],
                    start_new_session=True,
                )
        threading.Thread(target=process.wait, daemon=True).start()  # else it would stay a zombie after its end
        return True

    def stop(self) -> None:
        """Ask the running job to save and stop; the command that runs ends as after SIGTERM."""
        process = self._lock.read_text().strip() if self.running else ""
        if process:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(int(process), signal.SIGTERM)

    @property
    def running(self) -> bool:
        """Whether the job runs, whoever started it."""
        if not self._lock.exists():
            return False
        with self._lock.open() as lock:
            return not _try_lock(lock.fileno(), fcntl.LOCK_SH)

    def state(self) -> JobState | None:
        """Return how far the job is, None if there was none."""
        running = self.running  # before the file is read: a job writes its outcome, then ends
        try:
            content = json.loads(self._state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        state = JobState(**{**content, "steps": tuple(map(tuple, content["steps"]))})
        if state.outcome == "running" and not running:
            return replace(state, outcome="stopped", message="it ended unexpectedly; what it had saved is kept")
        return state

    def _write(self, state: JobState) -> None:
        write_json(self._state, vars(state))


def run(job: Job, lock: int) -> None:
    """Run the steps of a job, in its own process.

    Args:
        job: The job; its state has just been written.
        lock: File descriptor of its lock, which is held until this process ends.
    """
    os.nice(NICENESS)
    runner = _Runner()
    signal.signal(signal.SIGTERM, runner.stop)
    os.write(lock, str(os.getpid()).encode())
    state = job.state()
    assert state is not None
    for step, command in enumerate(state.steps):
        state = replace(state, step=step)
        job._write(state)
        status = runner.run(command)
        if status:
            outcome: Outcome = "stopped" if runner.stopped else "failed"
            message = "" if runner.stopped else _reason(job.log, command[0], status)
            job._write(replace(state, outcome=outcome, message=message))
            return
    job._write(replace(state, outcome="done"))


class _Runner:
    """Runs commands until SIGTERM, which it passes on."""

    def __init__(self) -> None:
        self.stopped = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: Command) -> int:
        """Return the exit status of a command; it is not started after SIGTERM."""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if not self.stopped:
            self._process = subprocess.Popen([sys.executable, "-P", "-m", "weclick", *command], env=environment)
        if self.stopped and self._process is not None:  # SIGTERM came while it was started
            self._process.terminate()
        return 1 if self._process is None else self._process.wait()

    def stop(self, signum: int, frame: FrameType | None) -> None:
        """Handle SIGTERM."""
        self.stopped = True
        if self._process is not None:
            self._process.terminate()


def _reason(log: Path, command: str, status: int) -> str:
    """Return the line with which a command ended."""
    with log.open("rb") as stream:
        stream.seek(max(log.stat().st_size - _LOG_TAIL, 0))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    reasons = [line.removeprefix("weclick: ") for line in lines if line.startswith("weclick: ")]
    return reasons[-1] if reasons else f"weclick {command} ended with status {status}; {log} shows what it printed"


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    run(Job(Path(sys.argv[1]).parent, Path(sys.argv[1]).stem), int(sys.argv[2]))
