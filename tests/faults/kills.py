"""Kill commands at random moments, repeat them, and compare everything they leave with what undisturbed commands leave.

python -m tests.faults.kills --kills 100
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

import weclick.cli.fit_run  # noqa: F401 - imported here, so that forked commands need not

from .contents import differences
from .fork import forked

TINY = (
    *("--data.size=[64,128]", "--data.draws.crop=[64,64]", "--data.batch_size=2", "--data.workers=0"),
    *("--trainer.max_epochs=3", "--trainer.accelerator=cpu", "--memory.flow=dis"),
    *(
        f"--{stage}.network.{option}"
        for stage in ("teacher", "student")
        for option in ("encoder=test_efficientnet", "weights=none", "width=16")
    ),
)

COMMANDS = (
    (
        "data",
        "synthetic",
        "street",
        "--train",
        "4",
        "--val",
        "1",
        "--frames",
        "4",
        "--target",
        "3",
        "--size",
        "[64,128]",
    ),
    ("clicks", "simulate", "street", "--min_area", "20"),
    ("fit", "--data.root", "street", *TINY, "--arm", "beyond", "--name", "run", "--resume", "run"),
    ("clicks", "export", "street", "clicks.csv"),
    ("test", "--run", "run"),
    (
        "predict",
        "--run",
        "run",
        "--source",
        "street/leftImg8bit_sequence/val/synthfield",
        "--out",
        "seen",
        "--labels",
        "true",
    ),
    ("package", "run", "--out", "published"),
)
"""The way from nothing to a published model; each command is one that a user may repeat as it is."""


class Process:
    """A command in a forked process.

    Args:
        command: Arguments of ``weclick``.
        folder: Where to run it.
        log: File for what it prints; its errors go to the same name with the suffix .err.
    """

    def __init__(self, command: tuple[str, ...], folder: Path, log: Path) -> None:
        self.pid = forked(command, folder, log)

    def join(self) -> int:
        """Wait for its end, and return its exit status; that of a signal is negative."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> bool:
        """Kill it, and return whether it was still running."""
        os.kill(self.pid, signal.SIGKILL)
        return self.join() == -signal.SIGKILL


@dataclass
class Outcome:
    """What kills have shown: how many met which command, and what was not as after undisturbed commands."""

    killed: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


class Series:
    """Runs each command undisturbed once, and then again and again with kills.

    Args:
        folder: An empty folder, for everything.
        commands: Arguments of ``weclick``, each of a command that can be repeated as it is.
        seed: Of the choice of commands and moments.
    """

    def __init__(self, folder: Path, commands: Sequence[tuple[str, ...]] = COMMANDS, *, seed: int = 0) -> None:
        self.folder, self.commands, self.random = folder, commands, random.Random(seed)
        self.place, self.log = folder / "work", folder / "log"  # always one place: files may hold its path
        self.seconds: list[float] = []
        self.state(0).mkdir()
        for number, command in enumerate(commands):
            shutil.copytree(self.state(number), self.place)
            begun = time.monotonic()
            if status := self._start(command).join():
                raise AssertionError(f"weclick {' '.join(command)} ended with {status}:\n{self._errors}")
            self.seconds.append(time.monotonic() - begun)
            self.place.rename(self.state(number + 1))

    def state(self, number: int) -> Path:
        """Return the folder with what the first ``number`` commands left."""
        return self.folder / f"after-{number}"

    def kill(self, outcome: Outcome) -> None:
        """Kill a command, chosen in proportion to its duration, at a random moment; repeat it, and compare."""
        (number,) = self.random.choices(range(len(self.commands)), self.seconds)
        command, moment = self.commands[number], self.random.uniform(0, self.seconds[number])
        shutil.copytree(self.state(number), self.place)
        process = self._start(command)
        time.sleep(moment)
        status = 0
        if process.kill():
            outcome.killed[command[0]] += 1
            status = self._start(command).join()  # 1 also where all was done, and the command makes only what is new
        found = differences(self.state(number + 1), self.place)
        if found and status:
            found.append(f"repeated, it ended with {status}: {self._errors}")
        where = f"weclick {' '.join(command[:2])} killed after {moment:.3f} s"
        outcome.differences += [f"{where}: {text}" for text in found]
        shutil.rmtree(self.place)

    @property
    def _errors(self) -> str:
        return self.log.with_suffix(".err").read_text()

    def _start(self, command: tuple[str, ...]) -> Process:
        return Process(command, self.place, self.log)


def main() -> int:
    """Kill, compare and print; the exit status is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder:
        series = Series(Path(folder), seed=options.seed)
        for number in range(options.kills):
            series.kill(outcome)
            print(f"\r{number + 1} of {options.kills}, {len(outcome.differences)} differences", end="", flush=True)
    print()
    print(*outcome.differences, sep="\n")
    met = ", ".join(f"{command} {count}" for command, count in outcome.killed.most_common())
    print(
        f"{options.kills} kills, {outcome.killed.total()} met a running command ({met}); differences: {len(outcome.differences)}"
    )
    return int(bool(outcome.differences))


if __name__ == "__main__":
    sys.exit(main())
