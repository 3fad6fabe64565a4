"""Which frames there are to click, and in which order."""

import hashlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.annotate.catalog import GOAL, Catalog, frame_id
from weclick.classes import ClassSet
from weclick.conventions import FrameKey
from weclick.data.index import Frame
from weclick.errors import ClickError, ConfigError, DataError


def make(videos, root=Path("root"), store="clicks.sqlite", **options):
    """A catalogue of so many frames per video, every third number of which exists."""
    frames = [
        Frame(FrameKey(video, 3 * number), Path(f"{video}/{number}.png"))
        for video, count in videos.items()
        for number in reversed(range(count))
    ]
    layout = SimpleNamespace(root=root, classes=ClassSet.from_list([{"name": "road"}]), frames=lambda split: frames)
    return Catalog(layout, root / store, **options)


def offered(catalog, statuses=None, after=None):
    places = map(catalog.place, catalog.upcoming(statuses or {}, after))
    return [place.frame.key for place in places]


def keys(catalog):
    return [frame.key for frames in catalog.videos.values() for frame in frames]


def test_an_id_is_a_part_of_a_hash_and_says_nothing_of_the_path():
    places = Path("/home"), Path("/store")
    assert frame_id(*places, FrameKey("a/../b", 7)) == hashlib.sha256(b"/home\0/store\0a/../b\x007").hexdigest()[:16]
    assert frame_id(*places, FrameKey("a", 17)) != frame_id(*places, FrameKey("a1", 7))
    assert frame_id(Path("\udcff"), Path("\udcfe"), FrameKey("a", 7))  # folders whose names are no UTF-8


def test_two_data_sets_share_no_id_and_one_has_the_same_by_any_path(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")
    one, link, other = (list(make({"a": 2}, root=tmp_path / name).upcoming({})) for name in ("one", "link", "other"))
    assert one == link and not set(one) & set(other)


def test_what_is_left_over_from_one_click_store_does_not_go_into_another(tmp_path):
    one, other = (set(make({"a": 2}, root=tmp_path, store=name).upcoming({})) for name in ("a.sqlite", "b.sqlite"))
    assert not one & other


def test_frames_are_found_by_id_with_their_place_in_the_video():
    catalog = make({"a": 3, "b": 2})
    place = catalog.place(catalog.name(FrameKey("a", 6)))
    assert (place.frame.key, place.position) == (FrameKey("a", 6), 2)
    assert catalog.place("nonsense") is None
    assert FrameKey("b", 3) in catalog and FrameKey("b", 1) not in catalog


def test_around_a_frame_are_fifteen_on_each_side_in_its_own_video():
    catalog = make({"a": 40, "b": 40})
    offsets = [offset for offset, _ in catalog.around(catalog.place(catalog.name(FrameKey("a", 6))))]
    assert offsets == list(range(-2, 16))
    around = dict(catalog.around(catalog.place(catalog.name(FrameKey("a", 60)))))
    assert sorted(around) == list(range(-15, 16))
    assert around[-15] == catalog.name(FrameKey("a", 15)) and around[0] == catalog.name(FrameKey("a", 60))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_every_beginning_is_evenly_spread_over_the_videos(counts, data):
    catalog = make({f"v{position}": count for position, count in enumerate(counts)})
    queue = offered(catalog)
    assert sorted(queue) == keys(catalog)
    taken = data.draw(st.integers(1, len(queue)))
    found = Counter(key.video for key in queue[:taken])
    for video, frames in catalog.videos.items():
        # distances of chosen frames are some power of two or its double, see spread_frames
        assert found[video] / taken <= 2 * len(frames) / len(queue) + 2 / taken


def test_a_given_order_goes_first_and_nothing_is_left_out():
    urgent = [FrameKey("b", 3), FrameKey("a", 0)]
    catalog = make({"a": 4, "b": 4})
    catalog.offer_first(urgent)
    assert offered(catalog)[:2] == urgent
    assert sorted(offered(catalog)) == keys(catalog)
    with pytest.raises(DataError, match="c:0"):
        catalog.offer_first([FrameKey("c", 0)])


def test_the_goal_is_200_or_all_frames_unless_told():
    assert make({"a": GOAL + 1}).goal == GOAL == 200
    assert make({"a": 3}).goal == 3
    assert make({"a": 3}, goal=2).goal == 2 and make({"a": 3}, goal=9).goal == 3
    with pytest.raises(ConfigError, match="--goal"):
        make({"a": 3}, goal=0)


def test_offered_are_the_frames_to_do_after_the_last_one_and_then_round():
    catalog = make({"a": 8})
    queue = offered(catalog)
    assert offered(catalog, after=catalog.name(queue[2])) == queue[3:] + queue[:3]
    decided = {queue[0]: "done", queue[3]: "skipped", queue[4]: "todo"}
    assert offered(catalog, decided, catalog.name(queue[2])) == [queue[4], *queue[5:], queue[1], queue[2]]


def test_the_head_of_the_queue_is_offered_first_wherever_people_looked_in_between():
    catalog = make({"a": 64}, goal=4)
    queue = offered(catalog)
    assert offered(catalog, {queue[0]: "done", queue[50]: "done"}, catalog.name(queue[50]))[:2] == queue[1:3]
    # a skipped frame makes room for the next one in the queue
    assert offered(catalog, {queue[0]: "done", queue[1]: "skipped"}, catalog.name(queue[1]))[:3] == queue[2:5]


def test_frames_the_data_set_lacks_do_not_count():
    catalog = make({"a": 8}, goal=1)
    queue = offered(catalog)
    assert offered(catalog, {FrameKey("gone", 1): "done"}, catalog.name(queue[5]))[0] == queue[0]


def test_nothing_to_click_and_names_that_cannot_be_stored_are_refused():
    with pytest.raises(DataError, match="--split"):
        make({})
    with pytest.raises(ClickError, match="UTF-8"):
        make({"\udcff": 1})
