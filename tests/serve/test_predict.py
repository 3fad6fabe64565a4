"""Prediction on small videos and folders with a stand-in network."""

import cv2
import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.errors import ConfigError, DataError, ShapeError
from weclick.serve import predict as predict_module
from weclick.serve.predict import predict
from weclick.serve.video import SourceFrame, VideoFile
from weclick.serve.writer import VideoWriter

CLASSES = ClassSet.from_list([{"name": "dark"}, {"name": "bright", "color": [0, 200, 0]}])
SIZE = (48, 64)


def segment(image):
    return (image[..., 0] > 100).astype(np.uint8)


def draw(image, ids):
    return np.where(ids[..., None] == 1, np.uint8(240), image // 4)


def frame(number):
    """Return a dark image with a bright square that moves with the number."""
    image = np.full((*SIZE, 3), 20, np.uint8)
    image[8:24, 4 + number : 20 + number] = 220
    return image


@pytest.fixture
def video(tmp_path):
    with VideoWriter(tmp_path / "in put.mp4", 12) as writer:
        for number in range(10):
            writer.write(frame(number))
    return tmp_path / "in put.mp4"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "frames").mkdir()
    for number in (2, 10, 1):
        (tmp_path / "frames" / f"f{number}.png").write_bytes(cv2.imencode(".png", frame(number))[1].tobytes())
    return tmp_path / "frames"


class FakeCamera(predict_module.Camera):
    """Endless frames."""

    def __init__(self):
        self.fps, self.size, self.count = 10.0, SIZE, None

    def __iter__(self):
        number = 0
        while True:
            yield SourceFrame(f"{number:06d}", frame(number % 30))
            number += 1


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.setattr(predict_module, "open_source", lambda source: FakeCamera())


def names(path):
    return sorted(p.name for p in path.iterdir())


def read_ids(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def interrupt_after(count):
    """Return a network that is stopped by Ctrl-C at its next call."""
    calls = []

    def run(image):
        if len(calls) == count:
            raise KeyboardInterrupt
        calls.append(1)
        return segment(image)

    return run


def test_a_video_gives_labels_overlay_and_a_summary(video, tmp_path):
    out = tmp_path / "new" / "out"
    summary = predict(video, segment, CLASSES, out, draw=draw)
    assert summary.frames == 10
    assert summary.paths == (out / "labels", out / "overlay.mp4")
    assert names(out / "labels") == [f"{i:06d}.png" for i in range(10)]
    for number, found in enumerate(VideoFile(video)):
        np.testing.assert_array_equal(read_ids(out / "labels" / f"{number:06d}.png"), segment(found.image))
    overlay = VideoFile(out / "overlay.mp4")
    assert (overlay.fps, overlay.size, overlay.count) == (12, SIZE, 10)
    last = list(overlay)[-1].image
    assert last[16, 20].mean() > 200 and last[40, 50].mean() < 30
    assert summary.fps_network >= summary.fps_end_to_end > 0
    assert summary.seconds == pytest.approx(10 / summary.fps_end_to_end)


def test_the_class_file_beside_the_labels_can_be_read_back(video, tmp_path):
    predict(video, segment, CLASSES, tmp_path / "out", max_frames=1)
    assert ClassSet.read(tmp_path / "out" / "classes.yaml") == CLASSES


def test_a_folder_gives_files_named_like_its_frames(folder, tmp_path):
    summary = predict(folder, segment, CLASSES, tmp_path / "out", draw=draw)
    assert summary.frames == 3
    assert names(tmp_path / "out" / "labels") == ["f1.png", "f10.png", "f2.png"]
    assert names(tmp_path / "out" / "overlay") == ["f1.jpg", "f10.jpg", "f2.jpg"]
    np.testing.assert_array_equal(read_ids(tmp_path / "out" / "labels" / "f10.png"), segment(frame(10)))


def test_frames_of_a_folder_may_differ_in_size(folder, tmp_path):
    (folder / "f3.png").write_bytes(cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes())
    predict(folder, segment, CLASSES, tmp_path / "out", draw=draw)
    assert read_ids(tmp_path / "out" / "labels" / "f3.png").shape == (20, 30)


def test_a_broken_image_costs_only_itself(folder, tmp_path, caplog):
    (folder / "f3.png").write_bytes(b"broken")
    assert predict(folder, segment, CLASSES, tmp_path / "out").frames == 3
    assert "1 of 4 images are unreadable: f3.png" in caplog.text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_frames": 4}, [0, 1, 2, 3]),
        ({"stride": 4}, [0, 4, 8]),
        ({"stride": 3, "max_frames": 2}, [0, 3]),
        ({"stride": 50}, [0]),
        ({"max_frames": 99}, list(range(10))),
    ],
)
def test_stride_and_max_frames_choose_the_frames(video, tmp_path, options, expected):
    summary = predict(video, segment, CLASSES, tmp_path / "out", draw=draw, **options)
    assert summary.frames == len(expected)
    assert names(tmp_path / "out" / "labels") == [f"{i:06d}.png" for i in expected]
    overlay = VideoFile(tmp_path / "out" / "overlay.mp4")
    assert overlay.count == len(expected)
    assert overlay.fps == pytest.approx(12 / options.get("stride", 1), rel=1e-3)


def test_each_output_can_be_left_out(video, tmp_path):
    predict(video, segment, CLASSES, tmp_path / "a")
    predict(video, segment, CLASSES, tmp_path / "b", draw=draw, labels=False)
    assert names(tmp_path / "a") == ["classes.yaml", "labels"]
    assert names(tmp_path / "b") == ["overlay.mp4"]


def test_a_camera_runs_until_ctrl_c_and_keeps_everything(camera, tmp_path):
    summary = predict("camera:0", interrupt_after(7), CLASSES, tmp_path / "out", draw=draw)
    assert summary.frames == 7
    assert len(names(tmp_path / "out" / "labels")) == len(list(VideoFile(tmp_path / "out" / "overlay.mp4"))) == 7


def test_a_camera_stops_at_max_frames(camera, tmp_path):
    assert predict("camera:0", segment, CLASSES, tmp_path / "out", max_frames=5).frames == 5


def test_ctrl_c_on_a_video_goes_on_up_and_leaves_a_playable_part(video, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        predict(video, interrupt_after(6), CLASSES, tmp_path / "out", draw=draw)
    assert len(list(VideoFile(tmp_path / "out" / "overlay.mp4"))) == 6
    assert len(names(tmp_path / "out" / "labels")) == 6


def test_few_frames_are_held_at_once(camera, tmp_path, monkeypatch):
    held, most = set(), []
    real = FakeCamera.__iter__

    def counted(self):
        for item in real(self):
            held.add(item.name)
            most.append(len(held))
            yield item

    def draw_slowly(image, ids):
        np.sort(np.random.default_rng(0).random(200_000))
        return image

    write = predict_module._write_image

    def written(path, image):
        held.discard(path.stem)
        write(path, image)

    monkeypatch.setattr(FakeCamera, "__iter__", counted)
    monkeypatch.setattr(predict_module, "_write_image", written)
    predict("camera:0", segment, CLASSES, tmp_path / "out", draw=draw_slowly, max_frames=40)
    assert max(most) <= 3 * predict_module._WAITING


def test_progress_goes_to_stderr_and_shows_the_rate(video, tmp_path, capfd):
    predict(video, segment, CLASSES, tmp_path / "out")
    captured = capfd.readouterr()
    assert captured.out == "" and "10/10" in captured.err and "FPS" in captured.err


@pytest.mark.parametrize(
    "wrong",
    [
        lambda image: segment(image).astype(np.int64),
        lambda image: segment(image)[:-1],
        lambda image: segment(image)[None],
    ],
)
def test_a_network_that_returns_no_label_map_is_refused(video, tmp_path, wrong):
    with pytest.raises(ShapeError, match="uint8"):
        predict(video, wrong, CLASSES, tmp_path / "out", draw=draw)
    assert not (tmp_path / "out" / "overlay.mp4").exists()


def test_a_network_with_more_classes_is_refused_but_ignore_is_not(video, tmp_path):
    with pytest.raises(DataError, match="more than the 2 classes"):
        predict(video, lambda image: segment(image) * 2, CLASSES, tmp_path / "out")
    predict(video, lambda image: segment(image) * 255, CLASSES, tmp_path / "out", max_frames=1)
    assert set(np.unique(read_ids(tmp_path / "out" / "labels" / "000000.png"))) == {0, 255}


def test_an_error_while_writing_stops_the_run(video, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels").touch()
    with pytest.raises(DataError, match=r"labels.*cannot be written"):
        predict(video, segment, CLASSES, tmp_path / "out")


def test_an_out_that_cannot_be_made_is_named(video, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file.*cannot be written"):
        predict(video, segment, CLASSES, tmp_path / "file" / "out")


def test_a_bad_source_makes_no_folder(tmp_path):
    with pytest.raises(DataError, match="not found"):
        predict(tmp_path / "no.mp4", segment, CLASSES, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"labels": False}, {"stride": 0}, {"max_frames": 0}])
def test_options_that_make_no_sense_are_refused(video, tmp_path, options):
    with pytest.raises(ConfigError):
        predict(video, segment, CLASSES, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_source_is_never_replaced(video, folder, tmp_path):
    video = video.rename(tmp_path / "overlay.mp4")
    before = video.read_bytes()
    with pytest.raises(ConfigError, match="replace their source"):
        predict(video, segment, CLASSES, tmp_path, draw=draw)
    folder.rename(tmp_path / "overlay")
    with pytest.raises(ConfigError, match="replace their source"):
        predict(str(tmp_path / "overlay"), segment, CLASSES, tmp_path, draw=draw)
    assert video.read_bytes() == before
