"""The one thread that uses the click store: what waits while the disk is busy is stored together."""

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

Answer = TypeVar("Answer")
_Outcome = tuple[Any, Exception | None]


class _Job(NamedTuple):
    work: Callable[[ClickStore], Any]
    writes: bool
    outcome: Future[Any]


class StoreWorker:
    """Runs functions that use a click store, in order, in the thread the store belongs to.

    Bringing a change to disk takes milliseconds, however small it is. Changes that come meanwhile become one transaction:
    each is answered when it is on disk, and ten people wait no longer than two of those times.

    Raises:
        ClickError: The store cannot be opened.
    """

    def __init__(self, path: Path, classes: ClassSet) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(path, classes, opened), name="click store", daemon=True)
        self._thread.start()
        opened.result()

    async def read(self, work: Callable[[ClickStore], Answer]) -> Answer:
        """Return what ``work`` reads."""
        return await self._do(work, writes=False)

    async def write(self, work: Callable[[ClickStore], Answer]) -> Answer:
        """Return what ``work`` returns once all it changed is on disk.

        Convention: ``work`` refuses by a ClickError before it changes anything, and changes the store only: it is run again
        if another one broke the transaction they shared.
        """
        return await self._do(work, writes=True)

    def close(self) -> None:
        """Finish what waits and close the store."""
        self._jobs.put(None)
        self._thread.join()

    async def _do(self, work: Callable[[ClickStore], Answer], *, writes: bool) -> Answer:
        outcome: Future[Answer] = Future()
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
            while jobs := self._waiting():
                _carry_out(store, jobs)

    def _waiting(self) -> list[_Job]:
        """Return all jobs there are, at least one; none at the end."""
        jobs = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs
        if jobs:
            self._jobs.put(None)
        return jobs


def _carry_out(store: ClickStore, jobs: list[_Job]) -> None:
    jobs = [job for job in jobs if job.outcome.set_running_or_notify_cancel()]
    for job, (answer, error) in zip(jobs, _answers(store, jobs), strict=True):
        if error is None:
            job.outcome.set_result(answer)
        else:
            job.outcome.set_exception(error)


def _answers(store: ClickStore, jobs: list[_Job]) -> list[_Outcome]:
    """Return what comes of jobs: all in one transaction, or each in its own where one of them breaks it."""
    try:
        with store.transaction() if any(job.writes for job in jobs) else nullcontext():
            return [_answer(store, job) for job in jobs]
    except StoreError as error:  # the disk's failing is everybody's
        return [(None, error)] * len(jobs)
    except Exception as error:
        if len(jobs) == 1:
            return [(None, error)]
        return [outcome for job in jobs for outcome in _answers(store, [job])]


def _answer(store: ClickStore, job: _Job) -> _Outcome:
    try:
        return job.work(store), None
    except StoreError:
        raise  # something may be half done: nothing of the transaction may stay
    except ClickError as refusal:
        return None, refusal
