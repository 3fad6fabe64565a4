"""What the network gets: all frames, or the newest of a live source. Clocks and sources are stand-ins."""

from itertools import count
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.errors import ConfigError, DataError
from weclick.inference import stream
from weclick.inference.frames import SourceFrame
from weclick.inference.live import LiveSource
from weclick.inference.sources import FrameFolder, VideoFile
from weclick.inference.stream import Newest, ReadAhead, at_own_pace, by_the_clock, open_stream, timed

PATIENCE = 10.0  # of a test that would otherwise hang


def frame(number):
    return SourceFrame(f"{number:06d}", np.zeros((2, 2, 3), np.uint8))


class Clock:
    """Time that passes only by waiting and working."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        assert seconds >= 0
        self.now += seconds

    def frames(self, works):
        """Give frames, each after the seconds of work it takes."""
        for number, seconds in enumerate(works):
            self.now += seconds
            yield frame(number)


def paced(works, fps):
    clock = Clock()
    frames = at_own_pace(clock.frames(works), fps, clock, clock.wait)
    first = next(frames)
    started = clock.now
    return [first.name, *(found.name for found in frames)], clock.now - started


def test_frames_come_when_a_player_shows_them():
    clock = Clock()
    come = [
        round(clock.now - 100, 6)
        for _ in at_own_pace(clock.frames([0.0, 0.01, 0.09, 0.25, 0.0]), 10, clock, clock.wait)
    ]
    assert come == [0.0, 0.1, 0.2, 0.45, 0.45]  # the fourth is late, the fifth waits for nothing: its time has passed


@settings(deadline=None)
@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=20))
def test_a_source_that_keeps_up_is_neither_slowed_nor_hurried(works):
    names, seconds = paced(works, 10)
    assert names == [frame(number).name for number in range(len(works))]
    assert seconds == pytest.approx((len(works) - 1) / 10)


def test_a_cameras_frames_are_placed_by_when_they_come():
    clock = Clock()
    frames = clock.frames([5.0, 0.1, 0.2, 0.01, 0.39])
    assert [place for place, _ in by_the_clock(frames, 10, clock)] == [0, 1, 3, 3, 7]


def test_a_pause_of_a_camera_does_not_fill_the_overlay():
    clock = Clock()
    frames = clock.frames([0.0, 0.1, 600.0, 0.1])
    assert [place for place, _ in by_the_clock(frames, 10, clock)] == [0, 1, 51, 52]


def gated(taken, offered):
    """Give frame 0, and when it was taken 1 to 4 at once; then wait for the end of the test."""
    yield 0, frame(0)
    assert taken.wait(PATIENCE)
    for number in range(1, 5):
        yield number, frame(number)
    offered.set()


def test_the_newest_frame_wins_and_drops_are_counted():
    taken, offered = Event(), Event()
    with Newest(gated(taken, offered)) as frames:
        assert next(frames)[0] == 0
        taken.set()
        assert offered.wait(PATIENCE)
        assert next(frames)[0] == 4
        assert frames.dropped == 3
        with pytest.raises(StopIteration):
            next(frames)
        assert frames.dropped == 3


def test_frames_after_the_last_one_taken_are_not_dropped_ones():
    taken, offered = Event(), Event()
    with Newest(gated(taken, offered)) as frames:
        next(frames)
        taken.set()
        assert offered.wait(PATIENCE)
    assert frames.dropped == 0


def test_an_endless_source_is_left_when_the_block_ends():
    with Newest((number, frame(number)) for number in count()) as frames:
        next(frames)
    assert not frames._thread.is_alive()


def test_a_camera_that_hangs_does_not_keep_the_block_from_ending(monkeypatch):
    monkeypatch.setattr(stream, "PATIENCE", 0.01)
    left = Event()

    def hanging():
        yield 0, frame(0)
        assert left.wait(PATIENCE)

    with Newest(hanging()) as frames:
        next(frames)
    left.set()
    frames._thread.join(PATIENCE)
    assert not frames._thread.is_alive()


def test_an_error_of_the_source_arrives_after_its_frames():
    def broken():
        yield 0, frame(0)
        raise DataError("unplugged")

    with Newest(broken()) as frames:
        assert next(frames)[0] == 0
        with pytest.raises(DataError, match="unplugged"):
            next(frames)


def test_reading_ahead_keeps_all_and_stays_near():
    read = []

    def source():
        for number in range(20):
            read.append(number)
            yield number, frame(number)

    with ReadAhead(source()) as frames:
        for position, (place, _) in enumerate(frames):
            assert place == position
            assert len(read) <= position + 5
    assert len(read) == 20
    assert frames.dropped == 0


class Still:
    """A source of ten frames at 1000 frames per second, so that pacing waits for next to nothing."""

    fps = 1000.0

    def __iter__(self):
        return (frame(number) for number in range(10))

    def close(self):
        pass


@pytest.mark.parametrize(("kind", "realtime"), [(VideoFile, True), (LiveSource, False)])
def test_a_live_stream_takes_every_nth_frame_and_its_true_name(kind, realtime):
    source = type("Source", (Still, kind), {"__init__": lambda self: None})()
    seconds = {}
    with open_stream(source, seconds, stride=4, realtime=realtime) as stream:
        names = [found.name for _, found in stream]
    assert names[-1] == "000008"
    assert set(names) <= {"000000", "000004", "000008"}
    assert len(names) + stream.dropped == 3
    assert seconds.keys() == {"decode"}


def test_a_folder_is_not_live(tmp_path):
    folder = FrameFolder.__new__(FrameFolder)
    folder.path = tmp_path / "frames"
    with pytest.raises(ConfigError, match=r"frames is a folder of images; realtime"):
        open_stream(folder, {}, realtime=True)


def test_timed_adds_up_errors_included():
    seconds = {"a": 5.0}
    with timed(seconds, "a"):
        pass
    with pytest.raises(ValueError, match="x"), timed(seconds, "b"):
        raise ValueError("x")
    assert seconds["a"] >= 5.0
    assert seconds["b"] >= 0.0
