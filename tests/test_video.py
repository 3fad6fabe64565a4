"""Whole videos that announce more frames than they show, and videos that were cut off."""

import shutil
import struct
import subprocess
from contextlib import closing

import cv2
import numpy as np
import pytest

from weclick.data.decode import decode_video
from weclick.errors import DataError
from weclick.inference.sources import VideoFile
from weclick.video import VideoReader

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="makes its videos with ffmpeg")


def trim(path, first, frames):
    """Let the edit list show so many frames from the first one on, as a trim without re-encoding does."""
    raw = bytearray(path.read_bytes())
    track, edits, times = (raw.index(kind) + 4 for kind in (b"tkhd", b"elst", b"stts"))
    shown, ticks_per_frame = frames * 100, struct.unpack_from(">I", raw, times + 12)[0]  # milliseconds, at 10 Hz
    struct.pack_into(">I", raw, track + 20, shown)
    struct.pack_into(">II", raw, edits + 8, shown, first * ticks_per_frame)
    path.write_bytes(raw)


def make_video(path, frames=20):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 + 10 * number, np.uint8))
    writer.release()
    return path


def counts(path):
    with closing(VideoReader(path)) as video:
        return sum(1 for _ in video.frames()), video.expected(), video.announced


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", *map(str, arguments)], check=True)


def test_trap_38_a_video_trimmed_without_encoding_is_whole(tmp_path, caplog):
    video = make_video(tmp_path / "trimmed.mp4")
    trim(video, first=6, frames=12)
    assert counts(video) == (12, 12, 20)
    assert decode_video(video, tmp_path / "out") == 12
    assert cv2.imread(str(tmp_path / "out/000000.jpg")).mean() == pytest.approx(80, abs=3)
    assert len(list(VideoFile(video))) == 12
    assert not caplog.records


def test_a_trimmed_video_that_is_damaged_is_refused(tmp_path):
    video = make_video(tmp_path / "trimmed.mp4")
    trim(video, first=6, frames=12)
    raw = bytearray(video.read_bytes())
    moov = raw.index(b"moov")
    raw[moov // 2 : moov - 4] = bytes(moov - 4 - moov // 2)  # as of a download that reserved its space
    video.write_bytes(raw)
    with pytest.raises(DataError, match=r"trimmed\.mp4 is truncated: \d+ of 12 frames"):
        decode_video(video, tmp_path / "out")


@pytest.mark.parametrize("cut", [8, 100, 10_000])
def test_a_damaged_index_is_no_reason_to_fail(tmp_path, cut):
    video = make_video(tmp_path / "a.mp4")
    whole = video.read_bytes()
    reader = VideoReader(video)
    assert sum(1 for _ in reader.frames()) == 20
    video.write_bytes(whole[: whole.index(b"moov") + cut])
    assert reader.expected() == 20
    video.write_bytes(struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1) + whole)  # a size that no file has
    assert reader.expected() == 20
    reader.close()


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mkv"])
def test_a_variable_frame_rate_is_no_damage(tmp_path, name):
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=6")
    ffmpeg(*source, "-vf", "select=not(mod(n\\,7))+lt(n\\,20)", "-vsync", "vfr", tmp_path / name)
    decoded, expected, _ = counts(tmp_path / name)
    assert decoded == expected == 26


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_half_a_file_gives_fewer_frames_than_expected(tmp_path, name):
    video = tmp_path / name
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=4", video)
    raw = video.read_bytes()
    video.write_bytes(raw[: len(raw) // 2])
    decoded, expected, _ = counts(video)
    assert decoded < 36 and expected == 40
