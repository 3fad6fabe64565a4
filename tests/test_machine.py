import os
import sys
import threading
from types import SimpleNamespace

import pytest

from weclick.machine import compute_threads, launched_processes, map_beside, process_rank, usable_cores

VARIABLES = (
    *("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    *("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NNODES", "SLURM_JOB_NAME"),
)


@pytest.fixture
def launched(monkeypatch):
    """Set exactly the given variables of a launcher."""

    def launch(**variables):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return launch


@pytest.mark.parametrize(
    ("variables", "rank"),
    [({}, 0), ({"LOCAL_RANK": "1"}, 1), ({"RANK": "5", "LOCAL_RANK": "1"}, 5), ({"RANK": ""}, 0)],
)
def test_the_rank_is_that_of_the_whole_training(launched, variables, rank):
    launched(**variables)
    assert process_rank() == rank


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({"SLURM_PROCID": "0"}, True),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, False),
        ({"RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "1"}, True),  # torchrun inside of a job: its rank counts
        ({"NODE_RANK": "1"}, False),  # before Lightning has started the other processes of this machine
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
    ],
)
def test_one_process_of_all_machines_is_the_first(launched, variables, first):
    launched(**variables)
    assert (process_rank() == 0) == first


@pytest.mark.parametrize(
    ("variables", "processes"),
    [
        ({}, None),
        ({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, None),  # Lightning's own launcher
        ({"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}, (4, 2)),
        ({"SLURM_NTASKS": "16", "SLURM_NNODES": "2"}, (8, 2)),
        ({"SLURM_NTASKS": "1"}, (1, 1)),
        ({"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "interactive"}, None),
        ({"SLURM_NTASKS": "2", "SLURM_NNODES": "2", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}, (4, 2)),
    ],
)
def test_a_launcher_states_its_processes_and_machines(launched, variables, processes):
    launched(**variables)
    assert launched_processes() == processes


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_cores() == 2


@pytest.mark.parametrize(("count", "cores"), [(6, 6), (None, 1)])
def test_where_the_system_does_not_state_usable_cores_all_count(monkeypatch, count, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert usable_cores() == cores


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_work_beside_gives_results_in_order(threads):
    assert list(map_beside(lambda number: number**2, iter(range(20)), threads)) == [number**2 for number in range(20)]
    assert list(map_beside(lambda number: number, [], threads)) == []


def test_few_items_wait_for_work_beside_and_all_that_were_taken_are_done():
    taken, done, free = [], [], threading.Event()

    def items():
        for number in range(100):
            if number == 4:  # two items per thread wait
                free.set()
            taken.append(number)
            yield number

    def work(number):
        assert free.wait(60)
        done.append(number)

    results = map_beside(work, items(), 2)
    next(results)
    results.close()
    assert sorted(done) == taken == list(range(5))


def test_an_error_beside_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(map_beside(lambda number: 1 / number, [1, 0, 1], 2))


@pytest.mark.parametrize(("stated", "threads"), [("3", 3), ("4,2", 4), ("", 7), ("0", 7), ("many", 7), (None, 7)])
def test_threads_without_torch_are_those_it_would_use(monkeypatch, stated, threads):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("weclick.machine.usable_cores", lambda: 7)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if stated is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", stated)
    assert compute_threads() == threads


def test_threads_beside_torch_are_its_own(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(get_num_threads=lambda: 5))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert compute_threads() == 5
