"""Jobs: one at a time, in a process that outlives its starter, with an outcome that says what happened."""

import os
import signal
import subprocess
import sys
import time

import pytest

from weclick.jobs import Job


@pytest.fixture
def job(tmp_path):
    job = Job(tmp_path / "new", "train")
    yield job
    job.stop()
    ended(job)


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(job):
    until(lambda: not job.running)
    return job.state()


def pid(job):
    until(lambda: job._lock.read_text())
    return int(job._lock.read_text())


@pytest.fixture
def endless(tmp_path, monkeypatch):
    """A command that runs until it is stopped, once it has written what SIGTERM does to it."""
    (tmp_path / "slow.py").write_text(
        "import signal, sys, time\n"
        "def stop(*_): print('saved', flush=True); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop); print('ready', flush=True)\n"
        "while True: time.sleep(0.01)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return ["--import", "slow", "data"]


def ready(job):
    until(lambda: "ready" in job.log.read_text())


def test_steps_run_in_order(job):
    assert job.state() is None
    assert job.start([["--version"], ["--help"]], {"run": "a"})
    state = ended(job)
    assert (state.outcome, state.message, state.facts) == ("done", "", {"run": "a"})
    out = job.log.read_text()
    assert out.index("weclick 0") < out.index("usage: weclick COMMAND")


def test_a_refusal_ends_it_with_its_one_line(job):
    job.start([["no-command"], ["--version"]], {})
    state = ended(job)
    assert state.outcome == "failed" and state.step == 0 and "no command 'no-command'" in state.message
    assert "weclick 0" not in job.log.read_text()


def test_only_one_runs_and_stop_lets_it_save(job, endless):
    assert job.start([endless, ["--version"]], {})
    ready(job)
    assert not job.start([["--version"]], {})
    assert job.state().outcome == "running"
    job.stop()
    assert ended(job).outcome == "stopped"
    assert job.log.read_text().split() == ["ready", "saved"]
    assert job.start([["--version"]], {})  # it goes on
    assert ended(job).outcome == "done"


def test_it_outlives_the_process_that_started_it(job, endless, tmp_path):
    place = f"Job(Path({str(tmp_path / 'new')!r}), 'train')"
    program = f"from pathlib import Path; from weclick.jobs import Job; {place}.start([{endless!r}], {{}})"
    subprocess.run([sys.executable, "-c", program], check=True)
    ready(job)
    assert os.getsid(pid(job)) == pid(job) != os.getsid(0)


def test_a_killed_job_is_seen_as_ended_and_its_process_id_is_not_trusted(job, endless):
    job.start([endless], {})
    ready(job)
    runner = pid(job)
    child = int(subprocess.check_output(["pgrep", "-P", str(runner)]))
    os.kill(runner, signal.SIGKILL)
    state = ended(job)
    assert state.outcome == "stopped" and "unexpectedly" in state.message
    os.kill(child, signal.SIGKILL)
    job._lock.write_text(str(os.getpid()))  # as if this process had got the id since
    job.stop()  # would end the tests
