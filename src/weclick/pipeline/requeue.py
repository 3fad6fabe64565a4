"""Requeueing a SLURM job whose time ends, after its state was saved."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from weclick.machine import process_rank
from weclick.signals import NOTICE, Interrupted

TIMEOUT: Final = 60
"""Seconds that ``scontrol`` may take."""


@contextmanager
def requeued_on_notice() -> Iterator[None]:
    """Requeue this process's SLURM job when the block stops on SIGUSR1; only the first process does so.

    It replaces Lightning's requeueing, which saves amid a step. The error's notes say what was done.
    """
    try:
        yield
    except Interrupted as error:
        job = _job()
        if error.signum == NOTICE and job is not None and process_rank() == 0:
            error.add_note(_requeue(job))
        raise


def _job() -> str | None:
    """Return the id of this process's SLURM job, or of its task in an array of jobs; None outside of SLURM."""
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID")


def _requeue(job: str) -> str:
    """Requeue a job, and return a note of what was done."""
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=TIMEOUT)
        problem = (done.stderr.strip() or f"exit status {done.returncode}") if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem is not None:
        return f"scontrol requeue {job} failed ({problem}): submit the job again"
    return f"SLURM job {job} is requeued"
