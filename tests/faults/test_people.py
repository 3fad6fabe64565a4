"""The short part of ``make faults``: people who click while the server is killed lose nothing."""

import pytest

from .ledger import Findings, Ledger, State
from .people import click_with_kills

A, B = (1.0, 2.0, 0), (3.0, 4.0, 1)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_when_the_server_is_killed(tmp_path):
    """Promise 4; strangers who hold connections half open lock nobody out."""
    figures = click_with_kills(tmp_path, people=3, clicks=150, kills=2, strangers=40)
    assert figures.findings == Findings(figures.findings.acknowledged, lost=0, doubled=0, unsent=0, others=[])
    assert figures.findings.acknowledged >= 150
    assert figures.half_open >= 40


def answer(*clicks, version=1, status="todo"):
    clicks = [{"x": x, "y": y, "class_id": class_id} for x, y, class_id in clicks]
    return {"id": "f", "version": version, "status": status, "clicks": clicks}


@pytest.fixture
def ledger():
    """Notes of one acknowledged save, of two clicks."""
    ledger = Ledger()
    ledger.note_sent("f", State("todo", ()), State("todo", (A, B)))
    ledger.note_acknowledged(answer(A, B), State("todo", (A, B)))
    return ledger


@pytest.mark.parametrize(
    ("clicks", "version", "expected"),
    [
        ((A, B), 1, (0, 0, 0, 0)),
        ((A,), 1, (1, 0, 0, 1)),
        ((A, B, B), 1, (0, 1, 0, 1)),
        ((A, B, (5.0, 6.0, 0)), 1, (0, 0, 1, 1)),
        ((A, (*B[:2], 0)), 1, (0, 0, 0, 1)),  # another class
        ((A, B), 2, (0, 0, 0, 2)),  # stored twice: another version than was answered, and one that no answer had
    ],
)
def test_what_differs_from_the_answers_is_counted(ledger, clicks, version, expected):
    found = ledger.check({"f": (version, State("todo", clicks))})
    assert (found.lost, found.doubled, found.unsent, len(found.others)) == expected
    assert found.clean == (expected == (0, 0, 0, 0))


def test_a_click_is_lost_though_the_server_said_so_unless_its_person_removed_it(ledger):
    ledger.note_sent("f", State("todo", (A, B)), State("todo", (A,)))
    ledger.note_acknowledged(answer(A, version=2), State("todo", (A,)))
    assert ledger.check({"f": (2, State("todo", (A,)))}).clean
    ledger.note_sent("f", State("todo", ()), State("todo", ()))  # somebody who never read that there was A
    ledger.note_acknowledged(answer(version=3), State("todo", ()))
    assert ledger.check({"f": (3, State("todo", ()))}).lost == 1


def test_two_answers_that_contradict_each_other_are_found(ledger):
    ledger.note_answer(answer(A))
    assert len(ledger.check({"f": (1, State("todo", (A, B)))}).others) == 2  # another content, and one that nobody sent
