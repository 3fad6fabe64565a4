"""Clicks on unknown: stored with the others, never trained from, counted."""

import pytest

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore
from weclick.clicks.check import check_clicks, stats
from weclick.clicks.records import UNKNOWN
from weclick.conventions import FrameKey
from weclick.errors import ClickError

CLASSES = ClassSet.from_list([{"name": "road"}, {"name": "car"}])
KEY = FrameKey("day", 3)


@pytest.fixture
def store(tmp_path):
    with ClickStore.create(tmp_path / "clicks.sqlite", CLASSES) as store:
        store.add(KEY, [Click(1.0, 2.0, 0), Click(5.0, 5.0, UNKNOWN), Click(7.0, 7.0, 1)], size=(9, 9))
        yield store


def test_they_are_clicks_of_their_frame_but_not_to_train_from(store):
    assert [click.class_id for click in store.clicks(KEY)] == [0, UNKNOWN, 1]
    assert store.all_clicks() == {KEY: [Click(1.0, 2.0, 0), Click(7.0, 7.0, 1)]}
    assert store.counts() == {"road": 1, "car": 1}


def test_they_are_counted_apart_and_are_no_mistake(store):
    found = stats(store)
    assert (found.clicks, found.unknown) == (2, 1)
    assert check_clicks(store) == []


def test_they_do_not_change_what_is_trained(store, tmp_path):
    with ClickStore.create(tmp_path / "other.sqlite", CLASSES) as other:
        other.add(KEY, [Click(1.0, 2.0, 0), Click(7.0, 7.0, 1)], size=(9, 9))
        assert other.fingerprint() == store.fingerprint()


def test_other_ids_beyond_the_classes_are_still_refused(store):
    with pytest.raises(ClickError, match="unknown class id 254"):
        store.add(KEY, [Click(1.0, 1.0, 254)])
