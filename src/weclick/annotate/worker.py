"""The thread that uses the click store; changes that arrive while the disk is busy are stored in one transaction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from weclick.classes import ClassSet
from weclick.clicks import ClickStore
from weclick.errors import ClickError, StoreError

Result = TypeVar("Result")
_Outcome = tuple[Any, Exception | None]


class _Job(NamedTuple):
    work: Callable[[ClickStore], Any]
    writes: bool
    outcome: Future[Any]


class StoreWorker:
    """Runs functions that use a click store, one after the other, in the thread that opened it.

    Writing a change to disk takes milliseconds, however small it is. Changes that arrive meanwhile share one transaction,
    so that a save takes at most twice that time with any number of annotators.

    Raises:
        ClickError: The store cannot be opened.
    """

    def __init__(self, path: Path, classes: ClassSet) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(path, classes, opened), name="click store", daemon=True)
        self._thread.start()
        opened.result()

    async def read(self, work: Callable[[ClickStore], Result]) -> Result:
        """Run ``work``, which reads the store, and return its result."""
        return await self._submit(work, writes=False)

    async def write(self, work: Callable[[ClickStore], Result]) -> Result:
        """Run ``work``, which changes the store, and return its result once the changes are on disk.

        Convention: ``work`` raises a ClickError only before its first change, and has no effects outside the store, as it
        is run again if another function breaks their shared transaction.
        """
        return await self._submit(work, writes=True)

    def close(self) -> None:
        """Finish all waiting jobs and close the store."""
        self._jobs.put(None)
        self._thread.join()

    async def _submit(self, work: Callable[[ClickStore], Result], *, writes: bool) -> Result:
        outcome: Future[Result] = Future()
        self._jobs.put(_Job(work, writes, outcome))
        return await asyncio.wrap_future(outcome)

    def _run(self, path: Path, classes: ClassSet, opened: Future[None]) -> None:
        try:
            store = ClickStore(path, classes)
        except BaseException as error:
            opened.set_exception(error)
            return
        with store:
            opened.set_result(None)
            while jobs := self._next_jobs():
                _run_jobs(store, jobs)

    def _next_jobs(self) -> list[_Job]:
        """Wait for a job and return all that are in the queue; an empty list after :meth:`close`."""
        jobs = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs
        if jobs:  # put the end mark back for the next call
            self._jobs.put(None)
        return jobs


def _run_jobs(store: ClickStore, jobs: list[_Job]) -> None:
    jobs = [job for job in jobs if job.outcome.set_running_or_notify_cancel()]
    for job, (result, error) in zip(jobs, _outcomes(store, jobs), strict=True):
        if error is None:
            job.outcome.set_result(result)
        else:
            job.outcome.set_exception(error)


def _outcomes(store: ClickStore, jobs: list[_Job]) -> list[_Outcome]:
    """Run all jobs in one transaction, or each in its own if one of them breaks the shared one."""
    try:
        with store.transaction() if any(job.writes for job in jobs) else nullcontext():
            return [_outcome(store, job) for job in jobs]
    except StoreError as error:  # the disk failed: none of the jobs is stored
        return [(None, error)] * len(jobs)
    except Exception as error:
        if len(jobs) == 1:
            return [(None, error)]
        return [outcome for job in jobs for outcome in _outcomes(store, [job])]


def _outcome(store: ClickStore, job: _Job) -> _Outcome:
    try:
        return job.work(store), None
    except StoreError:
        raise  # the change may be incomplete: the whole transaction must be rolled back
    except ClickError as error:
        return None, error
