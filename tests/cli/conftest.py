import csv
import os
import re
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file

from weclick.cli.main import run

TINY = [
    *("--data.size=[64,128]", "--data.draws.crop=[64,64]", "--data.batch_size=2", "--data.workers=0"),
    "--data.clicks.min_area=20",
    *(
        f"--{stage}.{option}"
        for stage in ("teacher", "student")
        for option in ("network.encoder=test_efficientnet", "network.weights=none", "network.width=16")
    ),
    *("--trainer.max_epochs=1", "--trainer.accelerator=cpu"),
]
"""The smallest settings with which every stage still runs."""


class Result:
    """Exit status and printed text of a command line."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    def refused(self, *words, status=1):
        """Check that the command ended with one error line that holds all the words, and return that line."""
        assert self.status == status, self.err
        ours = [line for line in self.err.splitlines() if line.startswith("weclick: ")]
        assert len(ours) == 1, self.err
        assert self.err.rstrip().endswith(ours[0])
        assert "Traceback" not in self.err
        assert "unexpected" not in ours[0]
        for word in words:
            assert str(word) in ours[0]
        return ours[0]

    def refused_at_once(self, *words, status=1):
        """Check that the error line is all that was printed to stderr."""
        line = self.refused(*words, status=status)
        assert self.err.strip() == line
        return line

    def done(self):
        """Check that the command succeeded, and return the result."""
        assert self.status == 0, self.err
        assert "weclick: " not in self.err
        return self


@pytest.fixture
def weclick(capfd, monkeypatch, tmp_path):
    """Run a command line in process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        return Result(status, *capfd.readouterr())

    return call


@pytest.fixture(scope="session")
def tiny():
    """Options of the smallest training in which everything still happens."""
    return TINY


@pytest.fixture
def fit(weclick, synthetic_root):
    """Run a tiny `weclick fit` on the synthetic set; later options win."""

    def call(*arguments):
        return weclick("fit", "--data.root", synthetic_root, *TINY, *arguments)

    return call


@pytest.fixture(scope="session")
def trained(synthetic_root, tmp_path_factory):
    """A runs folder with one finished run, `done`, of the arm weclick; only to be read."""
    runs = tmp_path_factory.mktemp("trained") / "runs"
    arguments = ["fit", "--data.root", synthetic_root, *TINY, "--name", "done", "--runs", runs]
    assert run([str(argument) for argument in arguments]) == 0
    return runs


@pytest.fixture
def start(forked, tmp_path, synthetic_root):
    """Start a tiny `weclick fit` as a process of its own, in the test's folder; later options win.

    ``before`` are arguments before the command's name, ``launcher`` starts Python modules, ``variables`` are of its environment.
    """
    started = []

    def call(*arguments, before=(), launcher=(), variables=None):
        command = [*launcher, "-m", "weclick", *before, "fit", "--data.root", synthetic_root, *TINY, *arguments]
        own = {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled", "PYTHONUNBUFFERED": "1", **(variables or {})}
        environment = {**os.environ, **own}
        if launcher:
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = subprocess.Popen([*map(str, command)], cwd=tmp_path, env=environment, **pipes)
        else:
            process = forked(*command, cwd=tmp_path, env=environment)
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def wait_for():
    """Read a process's lines until one matches, and return them all."""

    def read(process, pattern, stream="stderr"):
        lines = []
        for line in getattr(process, stream):
            lines.append(line)
            if re.search(pattern, line):
                return lines
        raise AssertionError("".join(lines))

    return read


@pytest.fixture
def finish():
    """Wait for a process that must succeed, and return what it printed."""

    def wait(process):
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out, err

    return wait


@pytest.fixture
def assert_same_run():
    """Check that two runs have the same figures, weights and memory items, but for rounding in another order.

    Without ``every_row`` only the last value of each figure counts: a process that dies may take an earlier row with it, or leave
    one that is written again.
    """

    def check(one, other, *, every_row=True):
        for stage in ("teacher", "student"):
            first, second = (figures(run, stage, every_row) for run in (one, other))
            assert first.keys() == second.keys(), stage
            values = ([found[key] for key in first] for found in (first, second))
            np.testing.assert_allclose(*values, rtol=2e-3, atol=1e-3, err_msg=stage)
            # not element by element: AdamW turns the sign of a gradient that is 0 but for rounding into a whole step
            assert distance(one, other, stage) < 1e-3
        items = [{path.relative_to(run) for path in run.glob("memory/*/[!.]*.npz")} for run in (one, other)]
        assert items[0] == items[1]

    return check


def figures(run, stage, every_row):
    """Return the figures of a stage by row and name, or by name alone."""
    with (run / stage / "metrics.csv").open() as stream:
        rows = enumerate(csv.DictReader(stream))
        return {(every_row and number, name): float(cell) for number, row in rows for name, cell in row.items() if cell}


def distance(run, other, stage):
    """Return the distance of two stages' weights as a share of their length."""
    first, second = (load_file(folder / stage / "weights.safetensors") for folder in (run, other))
    one, two = (np.concatenate([w[name].ravel().astype(float) for name in first]) for w in (first, second))
    return np.linalg.norm(one - two) / np.linalg.norm(one)
