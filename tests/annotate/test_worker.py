"""The thread of the click store: shared transactions, separate results."""

import asyncio
import threading

import pytest

from weclick.annotate.worker import StoreWorker
from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore
from weclick.clicks.records import TimedClick
from weclick.conventions import FrameKey
from weclick.errors import ClickError, ConflictError, StoreError

CLASSES = ClassSet.from_list([{"name": "road"}])


def saving(number, version=0, x=1.0):
    return lambda store: store.save(
        FrameKey("v", number),
        [TimedClick(Click(x, 1.0, 0))],
        **{"version": version, "status": "todo", "size": (9, 9), "annotator": "", "seconds": 0.0},
    )


@pytest.fixture
def path(tmp_path):
    ClickStore.create(tmp_path / "clicks.sqlite", CLASSES).close()
    return tmp_path / "clicks.sqlite"


@pytest.fixture
def worker(path):
    worker = StoreWorker(path, CLASSES)
    yield worker
    worker.close()


@pytest.fixture
def together(worker):
    """Queue several jobs while the thread is busy, so that they share a transaction; return their outcomes."""

    async def run(*jobs):
        busy, free = threading.Event(), threading.Event()

        def block(store):
            busy.set()
            free.wait()

        blocking = asyncio.create_task(worker.read(block))
        await asyncio.to_thread(busy.wait)
        waiting = [asyncio.create_task(worker.write(job)) for job in jobs]
        await asyncio.sleep(0)  # each puts its job
        free.set()
        await blocking
        return await asyncio.gather(*waiting, return_exceptions=True)

    return lambda *jobs: asyncio.run(run(*jobs))


@pytest.fixture
def stored(path):
    def read():
        with ClickStore(path, CLASSES, readonly=True) as store:
            return {key.number: clicks[0].x for key, clicks in store.all_clicks().items()}

    return read


def test_a_change_is_on_disk_when_write_returns(worker, stored):
    async def run():
        await worker.write(saving(1))
        assert stored() == {1: 1.0}
        assert await worker.read(lambda store: store.frame(FrameKey("v", 1)).version) == 1

    asyncio.run(run())


def test_waiting_changes_share_one_transaction(together, stored):
    inside = []
    outcomes = together(*(lambda store, n=n: (saving(n)(store), inside.append(stored())) for n in range(5)))
    assert [record.version for record, _ in outcomes] == [1] * 5
    assert inside == [{}] * 5  # other readers see none of them before the commit
    assert stored() == dict.fromkeys(range(5), 1.0)


def test_a_refused_change_does_not_affect_others(together, stored):
    one, refused, other = together(saving(1), saving(2, version=5), saving(3))
    assert isinstance(refused, ConflictError) and one.version == other.version == 1
    assert stored() == {1: 1.0, 3: 1.0}


def test_of_two_changes_from_one_version_the_first_is_stored(together, stored):
    first, second = together(saving(1, x=1.0), saving(1, x=2.0))
    assert first.version == 1 and isinstance(second, ConflictError)
    assert stored() == {1: 1.0}


def failing(error):
    def fail(store):
        saving(2)(store)
        raise error

    return fail


def test_when_the_disk_fails_no_change_is_acknowledged(together, stored):
    error = StoreError("disk full")
    assert together(saving(1), failing(error), saving(3)) == [error] * 3
    assert stored() == {}


def test_a_job_that_breaks_the_transaction_fails_alone(together, stored):
    error = ZeroDivisionError()
    one, broken, other = together(saving(1), failing(error), saving(3))
    assert broken is error and one.version == other.version == 1
    assert stored() == {1: 1.0, 3: 1.0}


def test_a_store_that_cannot_be_opened_is_reported_at_once(tmp_path):
    with pytest.raises(ClickError, match="not found"):
        StoreWorker(tmp_path / "missing.sqlite", CLASSES)


def test_jobs_that_wait_at_the_end_are_still_stored(path, stored):
    worker = StoreWorker(path, CLASSES)

    async def run():
        tasks = [asyncio.create_task(worker.write(saving(number))) for number in range(20)]
        await asyncio.sleep(0)
        await asyncio.to_thread(worker.close)
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert stored() == dict.fromkeys(range(20), 1.0)
    assert [path.name for path in path.parent.iterdir()] == ["clicks.sqlite"]
