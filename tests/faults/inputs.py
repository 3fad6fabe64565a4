"""Give commands hundreds of bad inputs, and check that each is refused in one line and changes nothing.

python -m tests.faults.inputs
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import torch

from . import (
    bad_checkpoints,
    bad_clicks,
    bad_models,
    bad_names,
    bad_options,
    bad_pictures,
    bad_runs,
    bad_settings,
    bad_stores,
)
from .bad_random import random_cases
from .cases import Case
from .fork import forked
from .project import make_project

CASES: tuple[Case, ...] = (
    *bad_options.CASES,
    *bad_names.CASES,
    *bad_settings.CASES,
    *bad_clicks.CASES,
    *bad_stores.CASES,
    *bad_pictures.CASES,
    *bad_checkpoints.CASES,
    *bad_models.CASES,
    *bad_runs.CASES,
)
"""The whole table."""

SECONDS = 120
"""How long a command may take to refuse; the longest is to wait 30 s for a locked store."""

MEMORY = 1 << 30
"""How many bytes more than this process has a command may use."""


@dataclass
class Outcome:
    """What came of cases: counts by kind, and a line for each failure."""

    refused: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Return the counts by kind, with a line of sums."""
        kinds = dict.fromkeys([*self.refused, *self.accepted, *self.failed])
        rows = [(kind, self.refused[kind], self.accepted[kind], self.failed[kind]) for kind in kinds]
        rows.append(("all", self.refused.total(), self.accepted.total(), self.failed.total()))
        lines = [f"{kind:<28}{sum(counts):>7}{''.join(f'{n:>10}' for n in counts)}" for kind, *counts in rows]
        return "\n".join([f"{'kind':<28}{'cases':>7}{'refused':>10}{'accepted':>10}{'failures':>10}", *lines])


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, what it printed, and the most memory it had."""

    status: int
    out: str
    err: str
    memory: int


class Trials:
    """Runs cases, each on a new copy of one project.

    Args:
        folder: An empty folder, for everything.
        published: Make exported models and a published folder too.
    """

    def __init__(self, folder: Path, *, published: bool = True) -> None:
        self.project, self.place, self.log = folder / "project", folder / "work", folder / "printed"
        self.known: dict[tuple[str, int, int], str] = {}
        self.project.mkdir()
        make_project(self.project, published=published)

    def run(self, case: Case, outcome: Outcome) -> None:
        """Run a case and count it."""
        ended, changed = self.ended(case)
        problems = judge(case, ended, changed)
        if not (problems or ended.status) and case.then:
            status, _ = wait(forked(case.then, self.place, self.log), SECONDS)
            problems = [f"accepted, but then weclick {' '.join(case.then)} ended with {status}"] if status else []
        if problems:
            outcome.failed[case.kind] += 1
            text = f"status {ended.status}, {ended.err.strip()[-400:]}"
            outcome.failures.append(f"{case}: {'; '.join(problems)}: {text}")
            print(outcome.failures[-1], flush=True)
        else:
            (outcome.refused if ended.status else outcome.accepted)[case.kind] += 1

    def ended(self, case: Case) -> tuple[Ended, list[str]]:
        """Run a case; return how it ended, and the names of all that it changed."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.project, self.place, symlinks=True)
        case.spoil(self.place)
        before = contents(self.place, self.known)
        with case.during(self.place):
            pid = forked(case.command, self.place, self.log)
            status, memory = wait(pid, SECONDS)
        after = contents(self.place, self.known)
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        out, err = (path.read_text(errors="replace") for path in (self.log, self.log.with_suffix(".err")))
        return Ended(status, out, err, memory), changed


def wait(pid: int, seconds: float) -> tuple[int, int]:
    """Wait for a process, or end it after ``seconds``; return its exit status and the most bytes it had."""
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        _, status, usage = os.wait4(pid, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss << 10


def contents(folder: Path, known: dict[tuple[str, int, int], str]) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, "folder" for folders and the target of links.

    Sums are kept in ``known`` by name, size and time, which copies of the project share; a changed file has another time.
    """

    def content(path: Path) -> str:
        if path.is_symlink():
            return str(path.readlink())
        if not path.is_file():
            return "folder"
        key = (path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
        if key not in known:
            known[key] = sha256(path.read_bytes()).hexdigest()
        return known[key]

    return {path.relative_to(folder).as_posix(): content(path) for path in folder.rglob("*")}


def judge(case: Case, ended: Ended, changed: Sequence[str]) -> list[str]:
    """Return what is wrong with the end of a case."""
    if ended.status == 0 and case.harmless:
        return []
    ours = [line for line in ended.err.splitlines() if line.startswith("weclick: ")]
    reported = case.report and not ours
    line = ended.out if reported else "".join(ours)
    allowed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + MEMORY
    wrong = {
        "it was accepted": ended.status == 0,
        "a wrong exit status": ended.status not in (0, 1, 2),
        "not one line": ended.status and not reported and (len(ours) != 1 or not ended.err.rstrip().endswith(ours[0])),
        "a traceback": "Traceback" in ended.err + ended.out,
        "not expected": "weclick: unexpected" in ended.err,
        f"no word of {[word for word in case.words if word not in line]}": not all(word in line for word in case.words),
        f"changed {changed[:5]}": bool(changed),
        f"{ended.memory >> 20} MiB of memory": ended.memory > allowed,
    }
    return [text for text, is_so in wrong.items() if is_so]


def main() -> int:
    """Run the table and random changes, and print counts; the exit status is 1 after a failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--kind", default="", help="only cases whose kind or name contains one of these, with commas between"
    )
    parser.add_argument("--show", action="store_true", help="print each case's message")
    parser.add_argument("--random", type=int, default=25, help="random changes of each kind of file")
    parser.add_argument("--seed", type=int, default=0, help="of the random changes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = options.kind.split(",")
    cases = [case for case in CASES if any(part in f"{case.kind}: {case.name}" for part in parts)]
    begun, outcome = time.monotonic(), Outcome()
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder))
        for number, case in enumerate(cases, 1):
            trials.run(case, outcome)
            print(f"\r{number} of {len(cases)}, {len(outcome.failures)} failures", end="", file=sys.stderr, flush=True)
            if options.show:
                print(
                    f"{case}\n    {trials.log.with_suffix('.err').read_text(errors='replace').strip()[-700:]}",
                    flush=True,
                )
        if not options.kind or "random" in parts:
            random_cases(lambda case: trials.run(case, outcome), options.random, options.seed)
    print(outcome.table())
    print(f"{time.monotonic() - begun:.0f} s")
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
