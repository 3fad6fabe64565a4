"""Answers about the classes of a frame, over the API."""

import pytest

from .helpers import body, click

CLICKS = [click(3, 3, 0)]
NOT_THERE = [{"class_id": 1, "present": False}]


def save(client, url, answers, **changes):
    return client.put(url, json={**body(CLICKS, status="done", **changes), "answers": answers})


def test_answers_are_stored_and_returned(client, store, key, url):
    assert save(client, url, NOT_THERE).json()["answers"] == NOT_THERE
    assert client.get(url).json()["answers"] == NOT_THERE
    assert store.answers(key) == {1: False}


def test_nobody_asked_is_null_and_nothing_to_ask_is_empty(client, url):
    assert client.put(url, json=body(CLICKS, status="done")).json()["answers"] is None
    assert save(client, url, [], version=1).json()["answers"] == []


def test_a_save_that_is_repeated_with_its_answers_is_no_conflict(client, url):
    first = save(client, url, NOT_THERE).json()
    assert save(client, url, NOT_THERE).json()["version"] == first["version"]
    assert save(client, url, [{"class_id": 1, "present": None}]).status_code == 409


@pytest.mark.parametrize(
    "answers",
    [
        [{"class_id": 2, "present": False}],  # the data set has two classes
        [{"class_id": -1, "present": False}],
        [{"class_id": 1, "present": "no"}],
        [{"class_id": 1}],
        [*NOT_THERE, {"class_id": 1, "present": True}],
        "none",
    ],
)
def test_bad_answers_are_refused_and_change_nothing(client, contents, url, answers):
    before = contents()
    assert save(client, url, answers).status_code == 422
    assert contents() == before
