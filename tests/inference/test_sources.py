"""Reading video: real small files, damaged ones, folders, cameras that are not there."""

import cv2
import numpy as np
import pytest

from weclick.errors import ConfigError, DataError
from weclick.inference import live
from weclick.inference.sources import FrameFolder, VideoFile, open_source
from weclick.inference.writer import VideoWriter


def grey(value, size=(48, 64)):
    return np.full((*size, 3), value, np.uint8)


def ramp_values(count):
    return [20 + 15 * i for i in range(count)]


def write_video(path, count=12, size=(48, 64), fps=10.0):
    """Write grey frames, each brighter than the one before."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size[::-1])
    for value in ramp_values(count):
        writer.write(grey(value, size))
    writer.release()
    return path


def set_rotation(path):
    """Set the display matrix in the track header to a quarter turn."""
    raw = path.read_bytes()
    start = raw.index(b"tkhd") + 4 + 40
    quarter = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    matrix = b"".join(value.to_bytes(4, "big", signed=True) for value in quarter)
    path.write_bytes(raw[:start] + matrix + raw[start + 36 :])


def wipe_part_of_stream(path):
    raw = bytearray(path.read_bytes())
    start, length = raw.index(b"mdat") + 200, len(raw) // 4
    raw[start : start + length] = bytes(length)
    path.write_bytes(raw)


def save_image(path, image):
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def test_a_video_file_tells_and_gives_what_was_written(tmp_path, caplog):
    source = open_source(write_video(tmp_path / "a.mp4"))
    assert isinstance(source, VideoFile)
    assert (source.fps, source.size, source.count) == (10.0, (48, 64), 12)
    frames = list(source)
    assert [f.name for f in frames] == [f"{i:06d}" for i in range(12)]
    assert [round(f.image.mean()) for f in frames] == pytest.approx(ramp_values(12), abs=6)
    assert not caplog.records


def test_a_source_can_be_read_twice(tmp_path):
    source = open_source(write_video(tmp_path / "a.mp4", count=3))
    assert len(list(source)) == len(list(source)) == 3


def test_frames_are_rgb(tmp_path):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    with VideoWriter(tmp_path / "red.mp4", 5) as writer:
        writer.write(red)
    save_image(tmp_path / "red.png", red[..., ::-1])
    for source in (tmp_path / "red.mp4", tmp_path):
        mean = next(iter(open_source(source))).image.mean(axis=(0, 1))
        assert mean[0] > 150 and mean[1] < 40 and mean[2] < 40


def test_rotation_is_honoured_in_size_and_frames(tmp_path):
    path = write_video(tmp_path / "phone.mp4")
    set_rotation(path)
    source = VideoFile(path)
    assert source.size == (64, 48)
    assert next(iter(source)).image.shape == (64, 48, 3)


@pytest.mark.parametrize("name", ["mit Leerzeichen/Straße 夜.mp4", "a:b 50%02d.mp4"])
def test_odd_paths_are_read_and_written(tmp_path, name):
    path = tmp_path / name
    with VideoWriter(path, 10) as writer:
        writer.write(grey(90))
    assert len(list(open_source(path))) == 1


def missing(path):
    pass


def empty(path):
    path.touch()


def text(path):
    path.write_text("no video at all\n" * 50)


def truncated(path):
    write_video(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_frames(path):
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48)).release()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (missing, "not found"),
        (empty, "empty file"),
        (text, "cannot be opened as a video"),
        (truncated, "cannot be opened as a video"),
        (without_frames, "cannot be opened as a video"),
    ],
)
def test_a_bad_video_is_refused_in_one_line_naming_it(tmp_path, capfd, make, reason):
    path = tmp_path / "bad.mp4"
    make(path)
    with pytest.raises(DataError, match=reason) as caught:
        open_source(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_lost_frames_are_counted_in_a_warning(tmp_path, caplog):
    path = write_video(tmp_path / "holes.mp4")
    wipe_part_of_stream(path)
    decoded = len(list(VideoFile(path)))
    assert 0 < decoded < 12
    assert f"{decoded} of 12 frames" in caplog.text and str(path) in caplog.text


@pytest.mark.parametrize("name", ["camera:x", "camera:", "camera:-1"])
def test_a_camera_that_is_no_number_is_refused(name):
    with pytest.raises(ConfigError, match="camera"):
        open_source(name)


def test_a_camera_that_is_not_there_is_refused(capfd, monkeypatch):
    monkeypatch.setattr(live, "FIRST", (0,))
    with pytest.raises(DataError, match="camera 63 cannot be opened"):
        open_source("camera:63")
    assert capfd.readouterr().err == ""


def test_a_folder_is_read_in_natural_order_without_other_files(tmp_path):
    for name in ("10.jpg", "2.JPG", "1.png", "b 3.jpeg", ".hidden.png"):
        (tmp_path / name).write_bytes(cv2.imencode(".png", grey(50))[1].tobytes())
    (tmp_path / "notes.txt").write_text("x")
    source = open_source(tmp_path)
    assert isinstance(source, FrameFolder)
    assert (source.fps, source.size, source.count) == (None, (48, 64), 4)
    assert [frame.name for frame in source] == ["1", "2", "10", "b 3"]


@pytest.mark.parametrize("content", [b"", b"no image", cv2.imencode(".png", grey(9))[1].tobytes()[:60]])
def test_a_broken_image_is_skipped_and_counted(tmp_path, caplog, content):
    (tmp_path / "0.png").write_bytes(content)
    for number in (1, 2):
        save_image(tmp_path / f"{number}.png", grey(number))
    assert [frame.name for frame in open_source(tmp_path)] == ["1", "2"]
    assert "1 of 3 images are unreadable: 0.png" in caplog.text


def test_folders_without_a_usable_image_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no image"):
        open_source(tmp_path)
    for number in range(3):
        (tmp_path / f"{number}.jpg").touch()
    with pytest.raises(DataError, match=r"none of the 3 images.*0\.jpg is empty"):
        open_source(tmp_path)


def test_images_of_16_bits_are_refused_as_in_training(tmp_path):
    save_image(tmp_path / "deep.png", grey(5).astype(np.uint16) * 256)
    with pytest.raises(DataError, match="16 bits a channel"):
        open_source(tmp_path)


def test_images_whose_outputs_would_collide_are_refused(tmp_path):
    for name in ("a.png", "a.jpg"):
        save_image(tmp_path / name, grey(5))
    with pytest.raises(DataError, match=r"a\.jpg and a\.png differ only in format"):
        open_source(tmp_path)
