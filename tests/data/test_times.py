"""What time stamps say: jitter is no gap, a missing frame is one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.data.times import timing


def stamps(numbers, fps=25.0):
    return np.asarray(numbers, float) / fps


@pytest.mark.parametrize("fps", [1, 23.976, 29.97, 60, 120])
@pytest.mark.parametrize("digits", [3, 9])
def test_a_constant_rate_has_no_gap_however_stamps_are_rounded(fps, digits):
    found = timing(stamps(range(400), fps).round(digits))
    assert found.fps == pytest.approx(fps, rel=1e-3)
    assert found.gaps == []


@pytest.mark.parametrize("digits", [3, 9])
def test_a_missing_frame_is_a_gap_before_the_next_one_and_does_not_change_the_rate(digits):
    found = timing(stamps([0, 1, 2, 3, 5, 6, 7, 8, 20, 21, 22], 29.97).round(digits))
    assert found.gaps == [4, 8]
    assert found.fps == pytest.approx(29.97, rel=1e-2)


@pytest.mark.parametrize(
    "numbers",
    [
        [0, 1, 2.45, 3, 4, 5, 6],  # within half a frame
        [0, 1, 2, 4, 4, 5, 6],  # one stamp late by a frame
        [0, 1, 2, 2, 4, 5, 6],  # one stamp early by a frame
        [0, 1, 2, 3, 4, 5, -70],  # one stamp of another clock
        [0, 1, 2.5, 3.5, 5, 6, 7.5, 8.5],  # 24 frames shown in 60 ticks
    ],
)
def test_jitter_is_no_gap(numbers):
    assert timing(stamps(numbers)).gaps == []


@settings(deadline=None)
@given(st.data())
def test_exactly_the_missing_frames_are_gaps_whatever_the_jitter(data):
    count = data.draw(st.integers(20, 60))
    missing = data.draw(st.sets(st.integers(2, count - 3), max_size=count // 8))
    kept = [number for number in range(count) if number not in missing]
    jitter = data.draw(st.lists(st.floats(-0.1, 0.1), min_size=len(kept), max_size=len(kept)))
    found = timing(stamps(np.asarray(kept) + jitter))
    assert [kept[position] for position in found.gaps] == [number for number in kept if number - 1 in missing]


@pytest.mark.parametrize("seconds", [[], [0.0], [0.0, 0.0, 0.0], [3.0, 2.0, 1.0]])
def test_stamps_of_no_use_say_nothing(seconds):
    assert timing(seconds) is None
