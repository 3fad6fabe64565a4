"""Accepted labels in the click store."""

import sqlite3
from contextlib import closing

import cv2
import numpy as np
import pytest

from weclick.clicks import Click, ClickStore, copy_store
from weclick.clicks.records import AcceptedLabel, TimedClick
from weclick.conventions import IGNORE_INDEX, FrameKey
from weclick.errors import ClickError, ConflictError

A, B = FrameKey("a", 7), FrameKey("b/Straße 東京", 0)
SIZE = (10, 20)


def some_label(seed=0, size=SIZE, confidence=(5, 7), probe="encoder, 3 clicks"):
    rng = np.random.default_rng(seed)
    ids = rng.choice(np.array([0, 1, 2, IGNORE_INDEX], np.uint8), size)
    return AcceptedLabel(ids, rng.integers(0, 256, confidence, dtype=np.uint8), probe)


def assert_same(label, other):
    assert label.probe == other.probe
    for one, two in zip(label[:2], other[:2], strict=True):
        assert one.dtype == two.dtype == np.uint8
        assert np.array_equal(one, two)


def save(store, clicks, status="done", seconds=0.0, version=None, label=None):
    """Save clicks of a frame, by default from its present version."""
    timed, version = [TimedClick(click) for click in clicks], store.frame(A).version if version is None else version
    options = {"size": SIZE, "annotator": "bob", "seconds": seconds, "label": label}
    return store.save(A, timed, version=version, status=status, **options)


@pytest.fixture
def labelled(store):
    """A store with two clicked and accepted frames."""
    for seed, key in enumerate((B, A)):
        store.add(key, [Click(1, 2, 0), Click(3, 4, 1)], size=SIZE, annotator="ann")
        store.accept(key, some_label(seed), annotator="ann")
    return store


@pytest.mark.parametrize(("size", "confidence"), [((10, 20), (5, 7)), ((10, 20), (10, 20)), ((1, 1), (1, 1))])
def test_a_label_comes_back_exactly_after_reopening(path, classes, size, confidence):
    label = some_label(1, size, confidence)
    with ClickStore.create(path, classes) as store:
        store.accept(B, label)
        store.accept(A, some_label(2))
    for readonly in (False, True):
        with ClickStore(path, classes, readonly=readonly) as store:
            assert_same(store.label(B), label)
            assert store.accepted() == [A, B]


def test_a_frame_without_an_accepted_label_has_none(store):
    store.add(A, [Click(1, 2, 0)])
    assert store.label(A) is None and store.label(B) is None
    assert store.accepted() == []


def test_accepting_finishes_the_frame_and_raises_its_version(store):
    save(store, [Click(1, 2, 0)], status="todo", seconds=4.0)
    store.accept(A, some_label(), annotator="ann")
    record = store.frame(A)
    assert (record.status, record.annotator, record.size, record.version) == ("done", "ann", SIZE, 2)
    assert record.seconds == 4.0
    assert store.clicks(A) == [Click(1, 2, 0)]


def test_the_size_of_a_frame_that_was_not_stored_is_that_of_its_label(store):
    store.accept(A, some_label(size=(6, 4)))
    assert store.frame(A)[:3] == ("done", "", (6, 4)) and store.frame(A).version == 1


def test_a_label_that_is_accepted_later_replaces_the_earlier_one(labelled):
    labelled.accept(A, some_label(9, probe="encoder, 8 clicks"))
    assert_same(labelled.label(A), some_label(9, probe="encoder, 8 clicks"))
    assert labelled.frame(A).version == 3


CHANGES = {
    "add": lambda store: store.add(A, [Click(5, 6, 2)], size=SIZE),
    "replace": lambda store: store.replace(A, [Click(1, 2, 0), Click(3, 4, 2)]),
    "save": lambda store: save(store, [Click(1, 2, 0), Click(3, 4, 1), Click(5, 6, 2)]),
    "removed click": lambda store: save(store, [Click(1, 2, 0)]),
    "unfinished": lambda store: save(store, [Click(1, 2, 0), Click(3, 4, 1)], status="todo"),
    "skipped": lambda store: save(store, [Click(1, 2, 0), Click(3, 4, 1)], status="skipped"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changing_clicks_or_status_removes_the_label_of_that_frame_alone(labelled, change):
    change(labelled)
    assert labelled.label(A) is None
    assert labelled.accepted() == [B]


@pytest.mark.parametrize("seconds", [0.0, 9.0])
def test_the_same_clicks_saved_without_the_label_have_none(labelled, seconds):
    save(labelled, [Click(1, 2, 0), Click(3, 4, 1)], seconds=seconds)
    assert labelled.label(A) is None


def test_a_change_that_is_refused_keeps_the_label(labelled):
    with pytest.raises(ClickError):
        labelled.add(A, [Click(1, 2, 9)])
    assert_same(labelled.label(A), some_label(1))


# Saved together with clicks


def test_clicks_and_label_are_saved_as_one_version(store):
    record = save(store, [Click(1, 2, 0)], label=some_label())
    assert (record.status, record.version) == ("done", 1)
    assert_same(store.label(A), some_label())
    record = save(store, [Click(1, 2, 0), Click(3, 4, 1)], label=some_label(3))
    assert record.version == 2
    assert_same(store.label(A), some_label(3))
    assert store.has_label(A) and not store.has_label(B)


def test_a_label_is_added_to_clicks_that_stay(store):
    save(store, [Click(1, 2, 0)])
    assert save(store, [Click(1, 2, 0)], label=some_label()).version == 2
    assert_same(store.label(A), some_label())


def test_a_label_saved_again_changes_nothing_whatever_its_version(store):
    first = save(store, [Click(1, 2, 0)], label=some_label())
    for version in (0, 1, 7):
        assert save(store, [Click(1, 2, 0)], version=version, label=some_label()) == first


def test_a_better_label_for_the_same_clicks_replaces_the_earlier_one(store):
    first = save(store, [Click(1, 2, 0)], label=some_label())
    assert save(store, [Click(1, 2, 0)], version=first.version, label=some_label(3)).version == first.version + 1
    assert_same(store.label(A), some_label(3))


@pytest.mark.parametrize("status", ["todo", "skipped"])
def test_another_status_without_clicks_removes_the_label(labelled, status):
    labelled.add(A, [], status=status)
    assert labelled.accepted() == [key for key in labelled.accepted() if key != A]
    assert labelled.label(A) is None


@pytest.mark.parametrize("picture", [np.zeros((*SIZE, 3), np.uint8), np.zeros((5, 5), np.uint8)])
def test_a_picture_of_another_shape_is_no_label(labelled, path, picture):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE labels SET ids = ?", (cv2.imencode(".png", picture)[1].tobytes(),))
    with pytest.raises(ClickError, match=f"label of frame {A} is damaged"):
        labelled.label(A)


def test_a_label_saved_from_another_version_is_refused(labelled):
    with pytest.raises(ConflictError, match="changed by ann meanwhile"):
        save(labelled, [Click(1, 2, 0)], version=1, label=some_label(5))
    assert_same(labelled.label(A), some_label(1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"status": "todo", "label": some_label()}, "a frame with status 'todo' cannot have an accepted label"),
        ({"status": "skipped", "label": some_label()}, "a frame with status 'skipped' cannot have"),
        ({"label": some_label(size=(20, 10))}, "does not fit the frame of 20x10"),
        ({"label": AcceptedLabel(np.full(SIZE, 3, np.uint8), np.zeros((1, 1), np.uint8))}, "unknown class ids 3"),
    ],
)
def test_clicks_with_a_wrong_label_are_not_saved(labelled, options, words):
    before = labelled.frames()
    with labelled.transaction(), pytest.raises(ClickError, match=words):
        save(labelled, [Click(9, 9, 2)], **options)
    assert labelled.frames() == before
    assert labelled.clicks(A) == [Click(1, 2, 0), Click(3, 4, 1)]
    assert_same(labelled.label(A), some_label(1))


# Wrong labels

IDS, SURE = np.zeros(SIZE, np.uint8), np.zeros((5, 7), np.uint8)


@pytest.mark.parametrize(
    ("ids", "confidence", "words"),
    [
        (np.where(np.eye(*SIZE), 3, 0).astype(np.uint8), SURE, "unknown class ids 3 in a label; the last is 2"),
        (np.where(np.eye(*SIZE), 254, 4).astype(np.uint8), SURE, "unknown class ids 4, 254"),
        (np.zeros((20, 10), np.uint8), SURE, "a label of 10x20 pixels does not fit the frame of 20x10"),
        (IDS.astype(np.int64), SURE, "must be uint8"),
        (np.zeros((*SIZE, 1), np.uint8), SURE, "must be uint8"),
        (IDS, SURE.astype(np.float32), "must be uint8"),
        (IDS, np.zeros((0, 7), np.uint8), "must be uint8"),
    ],
)
def test_a_wrong_label_is_refused_and_nothing_is_stored(store, ids, confidence, words):
    save(store, [Click(1, 2, 0)], status="todo")
    before = store.frame(A)
    with store.transaction(), pytest.raises(ClickError, match=words):  # a caller may catch the error and go on
        store.accept(A, AcceptedLabel(ids, confidence))
    with pytest.raises(ClickError, match=words):
        store.accept(A, AcceptedLabel(ids, confidence))
    assert store.frames() == {A: before}
    assert store.label(A) is None


def test_the_frame_of_a_wrong_label_does_not_enter_the_store(store):
    with pytest.raises(ClickError, match="unknown class ids 7"):
        store.accept(A, AcceptedLabel(np.full(SIZE, 7, np.uint8), SURE))
    with pytest.raises(ClickError, match="needs a video name"):
        store.accept(FrameKey("", 1), some_label())
    assert store.frames() == {} and store.accepted() == []


def test_a_label_of_ignored_pixels_alone_is_accepted(store):
    store.accept(A, AcceptedLabel(np.full(SIZE, IGNORE_INDEX, np.uint8), SURE))
    assert (store.label(A).ids == IGNORE_INDEX).all()


def test_a_label_accepted_in_a_transaction_that_raises_is_not_stored(labelled):
    before, fingerprint = labelled.frames(), labelled.fingerprint()
    with pytest.raises(KeyboardInterrupt), labelled.transaction():
        labelled.accept(A, some_label(5))
        raise KeyboardInterrupt
    assert_same(labelled.label(A), some_label(1))
    assert labelled.frames() == before and labelled.fingerprint() == fingerprint


def test_a_readonly_store_refuses_to_accept(labelled, path, classes):
    with ClickStore(path, classes, readonly=True) as reader:
        with pytest.raises(ClickError, match="read-only"):
            reader.accept(A, some_label(5))
        assert_same(reader.label(A), some_label(1))


@pytest.mark.parametrize("column", ["ids", "confidence"])
@pytest.mark.parametrize("damage", [lambda png: b"", lambda png: b"no picture", lambda png: png[: len(png) // 2]])
def test_a_damaged_label_is_refused_by_one_line_that_names_the_frame(labelled, path, column, damage):
    with closing(sqlite3.connect(path)) as db, db:
        (png,) = db.execute(f"SELECT {column} FROM labels WHERE video = 'a'").fetchone()
        db.execute(f"UPDATE labels SET {column} = ? WHERE video = 'a'", (damage(png),))
    with pytest.raises(ClickError, match=r"^the accepted label of frame a:7 is damaged; accept it again$"):
        labelled.label(A)
    assert_same(labelled.label(B), some_label(0))
    labelled.accept(A, some_label(3))
    assert_same(labelled.label(A), some_label(3))


def test_the_fingerprint_follows_the_pixels_of_labels(store):
    store.add(A, [Click(1, 2, 0)], size=SIZE)
    without, label = store.fingerprint(), some_label()
    store.accept(A, label)
    with_label = store.fingerprint()
    assert with_label != without
    for changed in (0, 1):
        arrays = [array.copy() for array in label[:2]]
        arrays[changed][-1, -1] = 0 if arrays[changed][-1, -1] else 1
        store.accept(A, AcceptedLabel(*arrays, label.probe))
        assert store.fingerprint() not in (with_label, without)
    store.accept(A, label._replace(probe="another"), annotator="someone")
    assert store.fingerprint() == with_label
    store.replace(A, [Click(1, 2, 0)])
    assert store.fingerprint() == without


def test_the_fingerprint_follows_the_frame_of_a_label(store, other):
    for one, key in ((store, A), (other, B)):
        for frame in (A, B):
            one.add(frame, [Click(1, 2, 0)], size=SIZE)
        one.accept(key, some_label())
    assert store.fingerprint() != other.fingerprint()


def test_a_copy_of_a_store_has_its_labels(labelled, path, classes, tmp_path):
    out = tmp_path / "run" / "clicks.sqlite"
    copy_store(path, out, classes)
    labelled.replace(A, [])
    with ClickStore(out, classes, readonly=True) as copy:
        assert copy.accepted() == [A, B]
        assert_same(copy.label(A), some_label(1))
        assert copy.fingerprint() != labelled.fingerprint()
