"""The frames to click and their order."""

import hashlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.annotate.catalog import LEAST, MOST, ROUND, SPACING, Catalog, frame_id
from weclick.classes import ClassSet
from weclick.conventions import FrameKey
from weclick.data.index import Frame
from weclick.errors import ClickError, ConfigError, DataError


def make(videos, root=Path("root"), store="clicks.sqlite", **options):
    """Return a catalog with the given numbers of frames per video, numbered 0, 3, 6, ..."""
    frames = [
        Frame(FrameKey(video, 3 * number), Path(f"{video}/{number}.png"))
        for video, count in videos.items()
        for number in reversed(range(count))
    ]
    layout = SimpleNamespace(root=root, classes=ClassSet.from_list([{"name": "road"}]), frames=lambda split: frames)
    return Catalog(layout, root / store, **options)


def offered(catalog, statuses=None, after=None):
    return [catalog.entry(name).frame.key for name in catalog.upcoming(statuses or {}, after)]


def keys(catalog):
    return [frame.key for frames in catalog.videos.values() for frame in frames]


def test_an_id_is_a_part_of_a_hash_and_does_not_reveal_the_path():
    paths = Path("/home"), Path("/store")
    assert frame_id(*paths, FrameKey("a/../b", 7)) == hashlib.sha256(b"/home\0/store\0a/../b\x007").hexdigest()[:16]
    assert frame_id(*paths, FrameKey("a", 17)) != frame_id(*paths, FrameKey("a1", 7))
    assert frame_id(Path("\udcff"), Path("\udcfe"), FrameKey("a", 7))  # folder names that are not UTF-8


def test_ids_differ_between_data_sets_but_not_between_paths_of_one(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")
    one, link, other = (list(make({"a": 2}, root=tmp_path / name).upcoming({})) for name in ("one", "link", "other"))
    assert one == link and not set(one) & set(other)


def test_ids_differ_between_click_stores(tmp_path):
    one, other = (set(make({"a": 2}, root=tmp_path, store=name).upcoming({})) for name in ("a.sqlite", "b.sqlite"))
    assert not one & other


def test_an_entry_has_its_position_in_the_video():
    catalog = make({"a": 3, "b": 2})
    entry = catalog.entry(catalog.id_of(FrameKey("a", 6)))
    assert (entry.frame.key, entry.position) == (FrameKey("a", 6), 2)
    assert catalog.entry("nonsense") is None
    assert FrameKey("b", 3) in catalog and FrameKey("b", 1) not in catalog


def test_around_a_frame_are_fifteen_on_each_side_in_its_own_video():
    catalog = make({"a": 40, "b": 40})
    offsets = [offset for offset, _ in catalog.around(catalog.entry(catalog.id_of(FrameKey("a", 6))))]
    assert offsets == list(range(-2, 16))
    around = dict(catalog.around(catalog.entry(catalog.id_of(FrameKey("a", 60)))))
    assert sorted(around) == list(range(-15, 16))
    assert around[-15] == catalog.id_of(FrameKey("a", 15)) and around[0] == catalog.id_of(FrameKey("a", 60))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 60), st.data())
def test_the_frames_of_a_goal_and_of_every_round_are_evenly_spread_over_the_videos(counts, goal, data):
    catalog = make({f"v{position}": count for position, count in enumerate(counts)}, goal=goal)
    queue = offered(catalog)
    assert sorted(queue) == keys(catalog)
    ends = [*range(ROUND, catalog.goal, ROUND), catalog.goal, *range(catalog.goal + ROUND, len(queue), ROUND)]
    taken = data.draw(st.sampled_from(ends))
    counted = Counter(key.video for key in queue[:taken])
    for video, frames in catalog.videos.items():
        # distances of selected frames are a power of two or its double, see spread_frames
        assert counted[video] / taken <= 2 * len(frames) / len(queue) + 2 / taken


def test_a_round_shows_one_video_after_the_other_and_each_from_start_to_end():
    queue = offered(make({"a": 100, "b": 100}, goal=3 * ROUND))
    for start in range(0, len(queue), ROUND):
        part = queue[start : start + ROUND]
        assert part == sorted(part)
        assert len({key.video for key in part}) == 2


def test_frames_of_a_given_order_come_first_and_all_others_follow():
    urgent = [FrameKey("b", 3), FrameKey("a", 0)]
    catalog = make({"a": 4, "b": 4})
    catalog.offer_first(urgent)
    assert offered(catalog)[:2] == urgent
    assert sorted(offered(catalog)) == keys(catalog)
    with pytest.raises(DataError, match="c:0"):
        catalog.offer_first([FrameKey("c", 0)])


def test_the_default_goal_is_one_frame_of_ten_within_bounds():
    assert make({"a": 301}).goal == 3 * 300 // SPACING  # frames are counted by their numbers
    assert make({"a": 3000}).goal == MOST == 200
    assert make({"a": LEAST + 4}).goal == LEAST == 16
    assert make({"a": 3}).goal == 3
    assert make({"a": 3}, goal=2).goal == 2 and make({"a": 3}, goal=9).goal == 3
    with pytest.raises(ConfigError, match="--goal"):
        make({"a": 3}, goal=0)


def test_the_frames_after_the_last_one_come_first_then_those_before_it():
    catalog = make({"a": 8})
    queue = offered(catalog)
    assert offered(catalog, after=catalog.id_of(queue[2])) == queue[3:] + queue[:3]
    decided = {queue[0]: "done", queue[3]: "skipped", queue[4]: "todo"}
    assert offered(catalog, decided, catalog.id_of(queue[2])) == [queue[4], *queue[5:], queue[1], queue[2]]


def test_the_start_of_the_queue_is_offered_first_even_after_a_jump():
    catalog = make({"a": 64}, goal=4)
    queue = offered(catalog)
    assert offered(catalog, {queue[0]: "done", queue[50]: "done"}, catalog.id_of(queue[50]))[:2] == queue[1:3]
    # a skipped frame makes room for the next one in the queue
    assert offered(catalog, {queue[0]: "done", queue[1]: "skipped"}, catalog.id_of(queue[1]))[:3] == queue[2:5]


def test_frames_missing_from_the_data_set_do_not_count():
    catalog = make({"a": 8}, goal=1)
    queue = offered(catalog)
    assert offered(catalog, {FrameKey("gone", 1): "done"}, catalog.id_of(queue[5]))[0] == queue[0]


def test_an_empty_split_and_names_that_cannot_be_stored_are_refused():
    with pytest.raises(DataError, match="--split"):
        make({})
    with pytest.raises(ClickError, match="UTF-8"):
        make({"\udcff": 1})
