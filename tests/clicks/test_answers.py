"""Answers about the classes of a frame: stored with its clicks, and what they mean in training."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore
from weclick.clicks.check import never_asked
from weclick.clicks.labels import SEEN_SHARE, seen_classes
from weclick.clicks.records import TimedClick
from weclick.conventions import FrameKey
from weclick.data.targets import TargetClicks
from weclick.errors import ClickError

CLASSES = ClassSet.from_list([{"name": name} for name in ("road", "car", "tree", "sky")])
KEY = FrameKey("day", 3)
CLICK = TimedClick(Click(2.0, 3.0, 0))
ANSWERS = {1: False, 2: None, 0: True}


@pytest.fixture
def path(tmp_path):
    ClickStore.create(tmp_path / "clicks.sqlite", CLASSES).close()
    return tmp_path / "clicks.sqlite"


@pytest.fixture
def store(path):
    with ClickStore(path, CLASSES) as store:
        yield store


def save(store, answers, *, version=0, status="done", key=KEY):
    return store.save(
        key, [CLICK], version=version, status=status, size=(9, 9), annotator="ann", seconds=1.0, answers=answers
    )


def test_answers_are_stored_with_the_clicks(store, path):
    save(store, ANSWERS)
    with ClickStore(path, CLASSES, readonly=True) as other:
        assert other.answers(KEY) == ANSWERS
        assert other.all_answers() == {KEY: ANSWERS}
        assert other.answers(FrameKey("day", 4)) is None


def test_nobody_asked_differs_from_nothing_to_ask(store):
    save(store, {})
    assert store.answers(KEY) == {}
    save(store, None, version=1)
    assert store.answers(KEY) is None


def test_a_repeated_save_changes_nothing_and_other_answers_are_a_change(store):
    assert save(store, ANSWERS).version == 1
    assert save(store, ANSWERS).version == 1
    assert save(store, {1: False}, version=1).version == 2


def test_new_clicks_from_elsewhere_remove_the_answers(store):
    save(store, ANSWERS)
    store.replace(KEY, [Click(1.0, 1.0, 1)], size=(9, 9))
    assert store.answers(KEY) is None


def test_an_answer_about_an_unknown_class_is_refused_and_nothing_is_stored(store):
    with pytest.raises(ClickError, match="unknown class id 4"):
        save(store, {4: False})
    assert not store.frames() and not store.all_answers()


def test_answers_change_the_fingerprint_and_none_to_give_does_not(store):
    save(store, None)
    plain = store.fingerprint()
    save(store, {}, version=1)
    assert store.fingerprint() == plain
    save(store, {1: False}, version=2)
    assert store.fingerprint() != plain


@pytest.mark.parametrize("writable", [True, False])
def test_a_store_of_version_3_is_read_as_never_asked(path, writable):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TABLE asked")
        db.execute("PRAGMA user_version = 3")
    with ClickStore(path, CLASSES, readonly=not writable) as store:
        assert store.all_answers() == {}
        if writable:
            save(store, ANSWERS)
            assert store.answers(KEY) == ANSWERS


@pytest.mark.parametrize("text", ["[1]", "null", "{"])
def test_what_is_no_object_cannot_be_stored_as_answers(path, text):
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.Error):
        db.execute("INSERT INTO asked VALUES ('day', 3, ?, '', '')", (text,))


def test_what_another_program_stored_and_is_no_answer_is_left_out(path, store):
    odd = {"1": False, "9": False, "x": True, "-1": True, "2": "yes", "3": 1}
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO asked VALUES ('day', 3, ?, '', '')", (json.dumps(odd),))
    assert store.answers(KEY) == {1: False}


def test_frames_where_nobody_was_asked_are_listed(store):
    for number, answers in enumerate([None, {}, {1: None}]):
        save(store, answers, key=FrameKey("day", number))
    save(store, None, status="todo", key=FrameKey("day", 7))
    assert never_asked(store) == [FrameKey("day", 0)]
    store.note(rule="center")  # simulated: a click on every region
    assert never_asked(store) == []


def test_a_class_is_seen_where_it_covers_a_visible_part():
    ids = np.zeros((100, 100), np.uint8)
    ids[:10, :10], ids[50:60, :10], ids[80, 0] = 1, 255, 3
    assert 1 < SEEN_SHARE * ids.size < 100
    assert seen_classes(ids) == [0, 1]


@pytest.mark.parametrize(
    ("incomplete", "answers", "present"),
    [
        (False, {}, [0]),  # complete: only what is clicked
        (False, {1: False, 2: None}, [0, 2]),  # an open question: may be there
        (True, {}, []),  # nothing is known
        (True, {1: None}, []),
        (True, {1: False}, [0, 2, 3]),  # only what a person excluded is absent
        (True, {0: False}, [0, 1, 2, 3]),  # a click is stronger than an answer
    ],
)
def test_what_may_be_in_a_target(incomplete, answers, present):
    targets = TargetClicks(
        {KEY: [CLICK.click]}, incomplete=frozenset({KEY} if incomplete else ()), answers={KEY: answers}
    )
    assert np.flatnonzero(targets.present(KEY, 4)).tolist() == present
