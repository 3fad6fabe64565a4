import json
import logging
import os
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest

from weclick.data import decode
from weclick.data.decode import MANIFEST, decode_video, decoded_timing, is_decoded
from weclick.errors import DataError


def make_video(path, frames=8, codec="MJPG"):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), (20 + number * 25) % 256, np.uint8))
    writer.release()
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_frame_is_written_by_its_number(tmp_path):
    out = tmp_path / "frames" / "a b ü"
    told = []
    assert decode_video(make_video(tmp_path / "ä 1.avi"), out, progress=lambda *step: told.append(step)) == 8
    assert names(out) == [*[f"{n:06d}.jpg" for n in range(8)], MANIFEST]
    levels = [cv2.imread(str(out / f"{n:06d}.jpg")).mean() for n in range(8)]
    assert np.allclose(levels, [20 + n * 25 for n in range(8)], atol=3)
    assert told == [(n, 8) for n in range(1, 9)]
    assert names(out.parent) == [out.name]


def test_the_manifest_holds_what_the_time_stamps_say(tmp_path):
    decode_video(make_video(tmp_path / "a.avi"), tmp_path / "out")
    assert decoded_timing(tmp_path / "out") == (pytest.approx(10), [])


@pytest.mark.parametrize("lost", [{"fps": None}, {"gaps": "all"}])
def test_frames_decoded_without_time_stamps_stay_usable(tmp_path, lost):
    video, out = make_video(tmp_path / "a.avi"), tmp_path / "out"
    decode_video(video, out)
    content = json.loads((out / MANIFEST).read_text())
    (out / MANIFEST).write_text(json.dumps(content | lost))
    assert decoded_timing(out) is None
    assert is_decoded(video, out)


def test_frames_are_resized_on_demand(tmp_path):
    decode_video(make_video(tmp_path / "a.avi"), tmp_path / "out", size=(24, 40))
    assert cv2.imread(str(tmp_path / "out/000000.jpg")).shape == (24, 40, 3)


def test_trap_28_a_video_filmed_on_its_side_is_turned_upright(tmp_path):
    video = tmp_path / "phone.mp4"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.vstack([np.full((24, 64, 3), level, np.uint8) for level in (230, 20)]))  # light above dark
    writer.release()
    raw = video.read_bytes()
    matrix = raw.index(b"tkhd") + 4 + 40
    quarter = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    turned = b"".join(value.to_bytes(4, "big", signed=True) for value in quarter)
    video.write_bytes(raw[:matrix] + turned + raw[matrix + 36 :])
    assert decode_video(video, tmp_path / "out") == 3
    frame = cv2.imread(str(tmp_path / "out/000000.jpg"))
    assert frame.shape == (64, 48, 3)
    assert frame[:, -16:].mean() > 180 > 80 > frame[:, :16].mean()  # a quarter turn to the right


def test_decoded_video_is_not_decoded_again_until_it_changes(tmp_path):
    video, out = make_video(tmp_path / "a.avi"), tmp_path / "out"
    decode_video(video, out)
    (out / "000003.jpg").write_bytes(b"mark")
    assert decode_video(video, out) == 8
    assert (out / "000003.jpg").read_bytes() == b"mark"
    make_video(video, frames=5)
    assert not is_decoded(video, out)
    assert decode_video(video, out) == 5
    assert is_decoded(video, out)
    assert len(names(out)) == 6


def test_a_new_time_stamp_counts_as_a_change(tmp_path):
    video, out = make_video(tmp_path / "a.avi"), tmp_path / "out"
    decode_video(video, out)
    os.utime(video, ns=(0, 0))
    assert not is_decoded(video, out)


def test_an_interrupted_decoding_leaves_nothing_and_starts_over(tmp_path):
    video, out = make_video(tmp_path / "a.avi"), tmp_path / "out"

    def interrupt(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_video(video, out, progress=interrupt)
    assert names(tmp_path) == ["a.avi"]
    (tmp_path / ".out-decoding").mkdir()
    (tmp_path / ".out-decoding/000099.jpg").touch()
    assert decode_video(video, out) == 8
    assert "000099.jpg" not in names(out)


def test_files_of_another_origin_are_not_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/000000.jpg").write_bytes(b"mine")
    with pytest.raises(DataError, match="in the way and was not decoded by weclick"):
        decode_video(make_video(tmp_path / "a.avi"), tmp_path / "out")
    assert (tmp_path / "out/000000.jpg").read_bytes() == b"mine"


def test_damaged_manifest_counts_as_none(tmp_path):
    video, out = make_video(tmp_path / "a.avi"), tmp_path / "out"
    decode_video(video, out)
    (out / MANIFEST).write_text(json.dumps(["frames"]))
    assert not is_decoded(video, out)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"video .*a\.mp4 not found"),
        (b"", "is empty or no file"),
        (b"no video" * 99, "cannot be opened as a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DataError, match=message):
        decode_video(tmp_path / "a.mp4", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_truncated_video_is_refused(tmp_path):
    video = make_video(tmp_path / "a.avi", frames=40)
    raw = video.read_bytes()
    video.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"a\.avi .*truncated"):
        decode_video(video, tmp_path / "out")
    assert names(tmp_path) == ["a.avi"]


def test_a_container_that_miscounts_a_little_is_warned_of(tmp_path, caplog):
    decode._check_count(tmp_path / "a.avi", 100, 100)
    decode._check_count(tmp_path / "a.avi", 100, 0)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        decode._check_count(tmp_path / "a.avi", 97, 100)
    assert "97 frames decoded, its container announces 100" in caplog.text
    with pytest.raises(DataError, match="no frame that can be decoded"):
        decode._check_count(tmp_path / "a.avi", 0, 0)


def test_a_process_that_wants_the_same_frames_waits_for_those_of_the_other(tmp_path):
    video, out, told, other = make_video(tmp_path / "a.avi", frames=40), tmp_path / "out", [], []

    def begin_another(done, total):
        if done == 1:
            other.append(
                Thread(target=decode_video, args=(video, out), kwargs={"progress": lambda *step: told.append(step)})
            )
            other[0].start()

    assert decode_video(video, out, progress=begin_another) == 40
    other[0].join()
    assert told == []
    assert len(names(out)) == 41
    assert names(tmp_path) == ["a.avi", "out"]


def test_a_process_that_waited_for_a_failure_decodes_itself(tmp_path):
    video, out, other = make_video(tmp_path / "a.avi"), tmp_path / "out", []

    def fail(done, total):
        other.append(Thread(target=decode_video, args=(video, out)))
        other[0].start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_video(video, out, progress=fail)
    other[0].join()
    assert is_decoded(video, out)
    assert names(tmp_path) == ["a.avi", "out"]


@pytest.mark.parametrize("name", ["a:b.mp4", "100%.mp4", "%03d.mp4"])
def test_names_that_look_like_addresses_or_patterns_are_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "plain.mp4", codec="mp4v").rename(name)
    assert decode_video(Path(name), Path("out")) == 8
