from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.clicks import Click
from weclick.clicks.budget import frames_to_hold_out, limit_clicks, spread_frames, spread_order, within_budget
from weclick.conventions import FrameKey

SHARES = st.floats(0, 1, exclude_min=True)
KEYS = st.sets(st.builds(FrameKey, st.sampled_from("abc"), st.integers(0, 99)), min_size=1, max_size=80)
CLICKS = st.lists(st.integers(0, 4), min_size=1, max_size=30).map(
    lambda ids: [Click(float(x), 0.0, class_id) for x, class_id in enumerate(ids)]
)
KEY = FrameKey("Straße", 7)


def numbers(count, share):
    return [key.number for key in spread_frames([FrameKey("a", number) for number in range(count)], share)]


def test_frames_by_hand():
    assert numbers(8, 0.25) == [0, 4]
    assert numbers(8, 0.5) == [0, 2, 4, 6]
    assert numbers(6, 2 / 3) == [0, 1, 2, 4]
    assert numbers(5, 1.0) == [0, 1, 2, 3, 4]
    assert numbers(5, 0.01) == [0]


def test_no_frames_stay_none():
    assert spread_frames([], 0.5) == []


@settings(deadline=None)
@given(KEYS, SHARES)
def test_a_share_is_a_beginning_of_the_order(keys, share):
    order, selected = spread_order(keys), spread_frames(keys, share)
    assert sorted(order) == sorted(keys)
    assert set(selected) == set(order[: len(selected)])


@settings(deadline=None)
@given(KEYS, SHARES, SHARES)
def test_a_smaller_shares_frames_are_among_a_larger_ones(keys, one, other):
    small, large = sorted([one, other])
    assert set(spread_frames(keys, small)) <= set(spread_frames(keys, large))
    assert len(spread_frames(keys, small)) == max(1, round(small * len(keys)))


@settings(deadline=None)
@given(st.integers(1, 200), SHARES)
def test_frames_are_a_power_of_two_or_its_double_apart(count, share):
    selected = numbers(count, share)
    gaps = {after - before for before, after in pairwise(selected)}
    if gaps:
        assert max(gaps) <= 2 * min(gaps)
        assert all(gap & (gap - 1) == 0 for gap in gaps)
        assert count - selected[-1] <= 2 * max(gaps)


@settings(deadline=None)
@given(st.lists(st.integers(8, 60), min_size=2, max_size=5), st.sampled_from([0.125, 0.25, 0.5]))
def test_every_video_gives_its_share(lengths, share):
    keys = [FrameKey(f"v{video}", number) for video, length in enumerate(lengths) for number in range(length)]
    selected = Counter(key.video for key in spread_frames(keys, share))
    assert all(abs(selected[f"v{video}"] - share * length) <= 2 for video, length in enumerate(lengths))


def test_many_videos_of_one_frame_thin_out_too():
    assert len(spread_frames([FrameKey(f"{video:03}", 19) for video in range(100)], 0.1)) == 10


@settings(deadline=None)
@given(CLICKS, st.integers(1, 12), st.integers(0, 3))
def test_classes_take_turns(clicks, count, seed):
    selected = limit_clicks(clicks, count, seed=seed, key=KEY)
    assert len(selected) == min(count, len(clicks))
    assert [click for click in clicks if click in selected] == selected  # a subset, in the original order
    had, kept = (Counter(click.class_id for click in some) for some in (clicks, selected))
    for class_id, number in had.items():  # a class that lost clicks has at most one less than any other
        assert kept[class_id] == number or kept[class_id] >= max(kept.values()) - 1


@settings(deadline=None)
@given(CLICKS, st.integers(1, 12), st.integers(0, 3))
def test_fewer_clicks_are_among_more(clicks, count, seed):
    more = limit_clicks(clicks, count + 1, seed=seed, key=KEY)
    assert set(limit_clicks(clicks, count, seed=seed, key=KEY)) <= set(more)


def test_seed_and_frame_decide_and_nothing_else():
    clicks = [Click(float(x), 0.0, x % 3) for x in range(30)]
    selected = limit_clicks(clicks, 3, seed=0, key=KEY)
    assert limit_clicks(clicks, 3, seed=0, key=KEY) == selected
    others = [(1, KEY), (0, FrameKey("Straße", 8)), (0, FrameKey("Strasse", 7))]
    assert all(limit_clicks(clicks, 3, seed=seed, key=key) != selected for seed, key in others)


@pytest.mark.parametrize(("share", "count", "left"), [(1.0, None, 12), (0.5, None, 6), (1.0, 1, 4), (0.5, 2, 4)])
def test_the_budget_counts_clicked_frames_only(share, count, left):
    clicks = {FrameKey("a", number): [Click(float(x), 0.0, x) for x in range(3)] for number in range(4)}
    selected = within_budget({**clicks, FrameKey("a", 9): []}, share=share, count=count, seed=0)
    assert sum(map(len, selected.values())) == left
    assert all(selected.values())


def held_out(share=0.1, **counts):
    keys = [FrameKey(video, number) for video, count in counts.items() for number in range(count)]
    return [tuple(key) for key in frames_to_hold_out(keys, share)]


def test_of_one_video_its_end_is_held_out():
    assert held_out(a=30) == [("a", 27), ("a", 28), ("a", 29)]
    assert held_out(a=8) == [("a", 7)]
    assert held_out(a=8, share=1.0) == [("a", number) for number in range(4, 8)]  # at most half


def test_of_a_few_videos_it_is_the_end_of_the_longest():
    assert held_out(a=8, b=12, c=10) == [("b", 9), ("b", 10), ("b", 11)]


def test_of_several_videos_whole_ones_are_held_out():
    assert held_out(a=5, b=3, c=4, d=8) == [("b", 0), ("b", 1), ("b", 2)]  # 2 of 20 are wanted: 3 come closest
    assert {video for video, _ in held_out(share=0.4, a=5, b=5, c=5, d=5, e=5)} == {"a", "b"}


def test_a_video_of_almost_all_frames_is_not_held_out_and_one_of_almost_none_is_no_measure():
    assert held_out(a=1, b=1, c=1, d=97) == [("d", number) for number in range(87, 97)]


def test_of_few_frames_or_without_a_share_none_is_held_out():
    assert held_out(a=7) == held_out() == held_out(a=100, share=0.0) == []


@settings(deadline=None)
@given(KEYS, SHARES)
def test_what_is_held_out_leaves_at_least_half_to_train_from(keys, share):
    selected = frames_to_hold_out(keys, share)
    assert selected == frames_to_hold_out(sorted(keys, reverse=True), share)
    assert set(selected) <= keys and len(selected) <= len(keys) / 2
    assert bool(selected) == (len(keys) >= 8)
