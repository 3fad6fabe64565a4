import os

import pytest

from weclick.machine import process_rank, usable_cores

VARIABLES = ("RANK", "LOCAL_RANK")


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


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_cores() == 2


@pytest.mark.parametrize(("count", "cores"), [(6, 6), (None, 1)])
def test_where_the_system_does_not_state_usable_cores_all_count(monkeypatch, count, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert usable_cores() == cores
