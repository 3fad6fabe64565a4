import signal
import subprocess

import pytest

from weclick.pipeline import requeue
from weclick.pipeline.requeue import requeued_on_notice
from weclick.signals import Interrupted


@pytest.fixture
def job(monkeypatch):
    """Make this process one of a SLURM job; return the commands that are run, and let `scontrol` do what a function does."""
    commands = []

    def make(scontrol=lambda: (0, ""), **variables):
        for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "RANK", "LOCAL_RANK", "SLURM_PROCID"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        def run(command, **options):
            commands.append(command)
            status, message = scontrol()
            return subprocess.CompletedProcess(command, status, "", message)

        monkeypatch.setattr(requeue.subprocess, "run", run)
        return commands

    return make


def notes_of(signum):
    with pytest.raises(Interrupted) as stopped, requeued_on_notice():
        raise Interrupted(signum)
    return getattr(stopped.value, "__notes__", [])


def test_a_job_whose_time_ends_is_requeued(job):
    commands = job(SLURM_JOB_ID="12")
    assert notes_of(signal.SIGUSR1) == ["SLURM job 12 is requeued"]
    assert commands == [["scontrol", "requeue", "12"]]


def test_of_an_array_only_the_own_task_is_requeued(job):
    commands = job(SLURM_JOB_ID="14", SLURM_ARRAY_JOB_ID="12", SLURM_ARRAY_TASK_ID="3")
    notes_of(signal.SIGUSR1)
    assert commands == [["scontrol", "requeue", "12_3"]]


@pytest.mark.parametrize(
    ("signum", "variables"),
    [
        (signal.SIGTERM, {"SLURM_JOB_ID": "12"}),  # SLURM's own end of a job
        (signal.SIGUSR1, {}),
        (signal.SIGUSR1, {"SLURM_JOB_ID": "12", "SLURM_PROCID": "1"}),  # the first process does it
    ],
)
def test_nothing_else_is_requeued(job, signum, variables):
    commands = job(**variables)
    assert notes_of(signum) == []
    assert commands == []


def missing():
    raise FileNotFoundError(2, "No such file or directory", "scontrol")


@pytest.mark.parametrize(
    ("scontrol", "problem"),
    [
        (lambda: (1, "Requeue disabled\n"), "Requeue disabled"),
        (lambda: (2, ""), "exit status 2"),
        (missing, "No such file"),
    ],
)
def test_a_failure_says_what_to_do(job, scontrol, problem):
    job(scontrol, SLURM_JOB_ID="12")
    (note,) = notes_of(signal.SIGUSR1)
    assert problem in note
    assert note.endswith("submit the job again")
