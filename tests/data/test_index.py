from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.data.index import Frame, FrameKey, clips, segments, ticks_per_second, unlabelled_clips


def frames(video, *numbers):
    return [Frame(FrameKey(video, number), Path(f"{video}/{number}.png")) for number in numbers]


def numbers(segment):
    return [frame.key.number for frame in segment.frames]


def test_segments_are_cut_at_gaps_and_never_join_videos():
    found = segments(frames("b", 9, 7, 8) + frames("a", 10, 12, 14, 20, 22))
    assert [(s.frames[0].key.video, numbers(s), s.step) for s in found] == [
        ("a", [10, 12, 14], 2),
        ("a", [20, 22], 2),
        ("b", [7, 8, 9], 1),
    ]


def test_a_strip_of_another_split_leaves_a_gap():
    train = frames("0016E5", 7860, 7890, 7920, 8190, 8220)
    assert [numbers(s) for s in segments(train)] == [[7860, 7890, 7920], [8190, 8220]]


def test_promise_2_a_frame_of_another_split_in_between_is_a_gap():
    train, val = frames("a", 0, 2, 4, 6, 8), [frame.key for frame in frames("a", 3, 7, 11) + frames("b", 5)]
    assert [numbers(s) for s in segments(train, val)] == [[0, 2], [4, 6], [8]]
    assert {s.step for s in segments(train, val)} == {2}


def test_smaller_step_wins_a_tie_and_a_lone_frame_is_a_segment():
    assert [numbers(s) for s in segments(frames("a", 0, 3, 4))] == [[0], [3, 4]]
    assert [(numbers(s), s.step) for s in segments(frames("a", 5))] == [([5], 1)]
    assert segments([]) == []


def test_jitter_of_less_than_half_a_step_is_no_gap():
    (segment,) = segments(frames("a", 0, 3, 7, 10, 13, 17, 20))
    assert (numbers(segment), segment.step) == ([0, 3, 7, 10, 13, 17, 20], 3)
    (clip,) = clips([segment], [FrameKey("a", 13)], neighbours=3)
    assert clip.offsets == (-3, -6, -10)
    assert [numbers(s) for s in segments(frames("a", 0, 3, 7, 10, 16, 19))] == [[0, 3, 7, 10], [16, 19]]
    assert [numbers(s) for s in segments(frames("a", 0, 2, 4, 5, 7))] == [[0, 2, 4], [5, 7]]  # half a step is too much


@pytest.mark.parametrize("ticks", [10**3, 10**6, 10**9])
def test_frames_numbered_by_the_time_are_cut_at_real_gaps_only(ticks):
    jitter = (0, 5, -8, 3, 9, -4, 0, 7)
    milliseconds = [1403636579763 + 50 * n + late for n, late in zip((0, 1, 2, 3, 6, 7, 8, 9), jitter, strict=True)]
    every = [number * ticks // 1000 for number in milliseconds]
    first, second = segments(frames("a", *every))
    assert (numbers(first), numbers(second)) == (every[:4], every[4:])
    assert ticks_per_second(every[0]) == ticks
    assert ticks / first.step == pytest.approx(20, rel=0.2)


def test_frames_numbered_by_the_time_are_no_clip_if_seconds_apart():
    assert len(segments(frames("a", *(1403636579763 + 3000 * n for n in range(4))))) == 4


def test_a_frame_after_missing_ones_begins_a_segment():
    listed = frames("a", 0, 1, 2, 3)
    listed[2] = replace(listed[2], after_gap=True)
    assert [numbers(s) for s in segments(listed)] == [[0, 1], [2, 3]]


def test_segment_finds_frames_by_number_only():
    (segment,) = segments(frames("a", 10, 12, 14))
    assert segment.at(12).key.number == 12
    assert segment.at(11) is None
    assert segment.at(8) is None
    assert segment.at(16) is None


def test_neighbours_by_hand():
    found = segments(frames("a", *range(0, 20, 2)))
    target = [FrameKey("a", 8)]
    assert clips(found, target, neighbours=2)[0].offsets == (-2, -4)
    assert clips(found, target, neighbours=2, stride=2)[0].offsets == (-4, -8)
    assert clips(found, target, neighbours=3, sides="both")[0].offsets == (-2, 2, -4)
    assert clips(found, [FrameKey("a", 2)], neighbours=3)[0].offsets == (-2,)
    assert clips(found, [FrameKey("a", 0)], neighbours=3)[0].offsets == ()
    assert clips(found, [FrameKey("a", 7), FrameKey("b", 8)], neighbours=1) == []


FRAME_SETS = st.dictionaries(st.sampled_from(["a", "b", "ü c"]), st.sets(st.integers(0, 60), min_size=1), min_size=1)


@settings(deadline=None)
@given(FRAME_SETS, FRAME_SETS, st.integers(0, 5), st.integers(1, 3), st.sampled_from(["past", "both"]))
def test_a_clip_never_crosses_a_gap_a_video_or_a_split(found, others, count, stride, sides):
    split = [frame for video, own in found.items() for frame in frames(video, *own)]
    borders = {FrameKey(video, n) for video, own in others.items() for n in own - found.get(video, set())}
    cut = segments(split, borders)
    assert sorted(frame.key for segment in cut for frame in segment.frames) == sorted(frame.key for frame in split)
    made = clips(cut, [frame.key for frame in split], neighbours=count, stride=stride, sides=sides)
    assert sorted(clip.target.key for clip in made) == sorted(frame.key for frame in split)
    home = {frame.key: segment for segment in cut for frame in segment.frames}
    for clip in made:
        segment = home[clip.target.key]
        assert len(set(clip.offsets)) == len(clip.neighbours) <= count
        for side in (1, -1):
            distances = [side * offset for offset in clip.offsets if side * offset > 0]
            assert distances == sorted(distances)
        assert 0 not in clip.offsets
        for frame in clip.neighbours:
            low, high = sorted((frame.key.number, clip.target.key.number))
            assert frame.key.video == clip.target.key.video
            own = sorted(n for n in found[frame.key.video] if low <= n <= high)
            assert all(2 * abs(after - before - segment.step) < segment.step for before, after in pairwise(own))
            assert not borders & {FrameKey(frame.key.video, n) for n in range(low, high + 1)}
            assert sides == "both" or frame.key.number < clip.target.key.number


def test_clips_of_neighbours_that_are_no_targets_by_target():
    found = segments(frames("a", 0, 1, 2, 3))
    every = clips(found, [frame.key for segment in found for frame in segment.frames], neighbours=2, sides="both")
    targets = clips(found, [FrameKey("a", 0), FrameKey("a", 2)], neighbours=2, sides="both")
    assert [[frame.key.number for frame in clip.frames] for clip in targets] == [[0, 1, 2], [2, 1, 3]]
    unlabelled = unlabelled_clips(targets, every)
    assert {key.number: [clip.target.key.number for clip in own] for key, own in unlabelled.items()} == {
        0: [1],
        2: [1, 3],
    }
    assert all(clip in every for own in unlabelled.values() for clip in own)


def test_targets_alone_have_no_unlabelled_clips():
    targets = clips(segments(frames("a", 0, 1)), [FrameKey("a", 1)], neighbours=1)
    assert unlabelled_clips(targets, targets) == {FrameKey("a", 1): []}
