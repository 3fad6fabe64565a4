"""Writing video: both encoders, stops, errors, full disks."""

import resource
import shutil
from collections import namedtuple

import numpy as np
import pytest

from weclick.errors import DataError, ShapeError
from weclick.inference import writer as writer_module
from weclick.inference.sources import VideoFile
from weclick.inference.writer import VideoWriter


def grey(value, size=(48, 64)):
    return np.full((*size, 3), value, np.uint8)


def ramp_values(count):
    return [20 + 15 * i for i in range(count)]


@pytest.fixture(params=["opencv", "pyav"])
def codec(request, monkeypatch):
    """Run with each encoder; PyAV is an extra."""
    if request.param == "pyav":
        pytest.importorskip("av", reason="needs the extra 'video'")
    else:
        monkeypatch.setattr(writer_module, "_encoder_class", lambda path: writer_module._OpenCVEncoder)
    return request.param


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 12.5, 17 / 3])
def test_written_video_has_its_frames_rate_and_size(tmp_path, codec, fps):
    with VideoWriter(tmp_path / "out.mp4", fps) as writer:
        for value in ramp_values(9):
            writer.write(grey(value))
    source = VideoFile(tmp_path / "out.mp4")
    assert source.fps == pytest.approx(fps, rel=1e-3)
    assert (source.size, source.count) == ((48, 64), 9)
    assert [round(f.image.mean()) for f in source] == pytest.approx(ramp_values(9), abs=6)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_odd_sides_are_padded_by_one(tmp_path, codec):
    with VideoWriter(tmp_path / "odd.mp4", 10) as writer:
        writer.write(grey(200, (47, 65)))
    source = VideoFile(tmp_path / "odd.mp4")
    assert source.size == (48, 66)
    assert next(iter(source)).image[-1].mean() == pytest.approx(200, abs=8)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stop_keeps_what_was_written_playable(tmp_path, codec, stop):
    with pytest.raises(stop), VideoWriter(tmp_path / "out.mp4", 10) as writer:
        for value in ramp_values(5):
            writer.write(grey(value))
        raise stop
    assert len(list(VideoFile(tmp_path / "out.mp4"))) == 5


def test_an_error_leaves_an_older_video_and_no_rest(tmp_path, codec):
    (tmp_path / "out.mp4").write_bytes(b"older")
    with pytest.raises(ValueError, match="network"), VideoWriter(tmp_path / "out.mp4", 10) as writer:
        writer.write(grey(1))
        raise ValueError("network")
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"older"


def test_a_video_without_frames_is_not_written(tmp_path):
    with pytest.raises(DataError, match="no frame"), VideoWriter(tmp_path / "out.mp4", 10):
        pass
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "out.mp4", 10):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_frame_of_another_size_is_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"48, 64.*32, 64"), VideoWriter(tmp_path / "out.mp4", 10) as writer:
        writer.write(grey(1))
        writer.write(grey(1, (32, 64)))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"out\.mp4 cannot be written"), VideoWriter(tmp_path / "file" / "out.mp4", 10):
        pass


def test_a_nearly_full_disk_stops_early(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 10, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"the disk .* is full"), VideoWriter(tmp_path / "out.mp4", 10) as writer:
        writer.write(grey(1))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_keeps_what_was_written_playable_and_says_how_much(tmp_path, codec, monkeypatch):
    usage = namedtuple("usage", "free")
    free = iter([usage(1 << 30)] * 5 + [usage(0)])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: next(free))
    with (
        pytest.raises(DataError, match=r"out\.mp4 ends after 5 frames: the disk .* is full \(.* GB free\)"),
        VideoWriter(tmp_path / "out.mp4", 10) as writer,
    ):
        for value in ramp_values(9):
            writer.write(grey(value))
    assert len(list(VideoFile(tmp_path / "out.mp4"))) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_writes_that_fail_silently_are_noticed(tmp_path, codec):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"out\.mp4"), VideoWriter(tmp_path / "out.mp4", 10) as writer:
            for _ in range(20):
                writer.write(noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_a_webm_that_browsers_play_is_written(tmp_path):
    with VideoWriter(tmp_path / "a.webm", 12) as writer:
        for value in ramp_values(5):
            writer.write(grey(value))
    assert (tmp_path / "a.webm").read_bytes()[:4] == b"\x1aE\xdf\xa3"  # EBML
    assert b"V_VP8" in (tmp_path / "a.webm").read_bytes()
    video = VideoFile(tmp_path / "a.webm")
    assert (video.fps, video.size, video.count) == (12, (48, 64), 5)
