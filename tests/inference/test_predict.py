"""Prediction on small videos and folders with a stand-in network."""

import shutil
import weakref
from collections import namedtuple
from itertools import chain, count, repeat
from threading import Event
from typing import ClassVar

import cv2
import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.errors import ConfigError, DataError, ShapeError
from weclick.inference import predict as predict_module
from weclick.inference import stream as stream_module
from weclick.inference.frames import SourceFrame
from weclick.inference.live import LiveSource
from weclick.inference.predict import label_frames
from weclick.inference.results import Film
from weclick.inference.sources import VideoFile
from weclick.inference.writer import VideoWriter

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


class FakeCamera(LiveSource):
    """Endless frames."""

    def __init__(self):
        self.fps, self.size, self.count = 10.0, SIZE, None

    def __iter__(self):
        number = 0
        while True:
            yield SourceFrame(f"{number:06d}", frame(number % 30))
            number += 1

    def close(self):
        pass


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
    summary = label_frames(video, segment, CLASSES, out, draw=draw)
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
    label_frames(video, segment, CLASSES, tmp_path / "out", max_frames=1)
    assert ClassSet.read(tmp_path / "out" / "classes.yaml") == CLASSES


def test_a_folder_gives_files_named_like_its_frames(folder, tmp_path):
    summary = label_frames(folder, segment, CLASSES, tmp_path / "out", draw=draw)
    assert summary.frames == 3
    assert names(tmp_path / "out" / "labels") == ["f1.png", "f10.png", "f2.png"]
    assert names(tmp_path / "out" / "overlay") == ["f1.jpg", "f10.jpg", "f2.jpg"]
    np.testing.assert_array_equal(read_ids(tmp_path / "out" / "labels" / "f10.png"), segment(frame(10)))


def test_frames_of_a_folder_may_differ_in_size(folder, tmp_path):
    (folder / "f3.png").write_bytes(cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes())
    label_frames(folder, segment, CLASSES, tmp_path / "out", draw=draw)
    assert read_ids(tmp_path / "out" / "labels" / "f3.png").shape == (20, 30)


def test_a_broken_image_costs_only_itself(folder, tmp_path, caplog):
    (folder / "f3.png").write_bytes(b"broken")
    assert label_frames(folder, segment, CLASSES, tmp_path / "out").frames == 3
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
    summary = label_frames(video, segment, CLASSES, tmp_path / "out", draw=draw, **options)
    assert summary.frames == len(expected)
    assert names(tmp_path / "out" / "labels") == [f"{i:06d}.png" for i in expected]
    overlay = VideoFile(tmp_path / "out" / "overlay.mp4")
    assert overlay.count == len(expected)
    assert overlay.fps == pytest.approx(12 / options.get("stride", 1), rel=1e-3)


def test_a_second_prediction_replaces_the_first_wholly(video, folder, tmp_path):
    out = tmp_path / "out"
    assert not label_frames(video, segment, CLASSES, out, draw=draw).replaced
    assert label_frames(folder, segment, CLASSES, out, draw=draw).replaced
    assert names(out) == [".predicted", "classes.yaml", "labels", "overlay"]
    assert names(out / "labels") == ["f1.png", "f10.png", "f2.png"]
    assert label_frames(video, segment, CLASSES, out, draw=draw, labels=False).replaced
    assert names(out) == [".predicted", "overlay.mp4"]


def test_an_interrupted_prediction_is_replaced_too(video, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        label_frames(video, interrupt_after(6), CLASSES, tmp_path / "out", draw=draw)
    label_frames(video, segment, CLASSES, tmp_path / "out", max_frames=2)
    assert names(tmp_path / "out" / "labels") == ["000000.png", "000001.png"]
    assert not (tmp_path / "out" / "overlay.mp4").exists()


def test_what_is_no_result_stays_when_a_prediction_is_replaced(video, folder, tmp_path):
    kept = [tmp_path / "out" / name for name in ("notes.txt", "labels/notes.txt", "labels/old/000000.png")]
    label_frames(video, segment, CLASSES, tmp_path / "out")
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    label_frames(folder, segment, CLASSES, tmp_path / "out")
    assert [path.read_text() for path in kept] == ["mine"] * 3
    assert names(tmp_path / "out" / "labels") == ["f1.png", "f10.png", "f2.png", "notes.txt", "old"]


@pytest.mark.parametrize("name", ["labels/000003.png", "labels/mine.png", "classes.yaml", "overlay.mp4"])
def test_files_no_prediction_wrote_are_neither_replaced_nor_mixed_with(video, tmp_path, name):
    foreign = tmp_path / "out" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    for _ in range(2):
        with pytest.raises(
            ConfigError, match=f"{name} is not listed in .predicted as written by weclick predict.*another output"
        ):
            label_frames(video, segment, CLASSES, tmp_path / "out", draw=draw)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [foreign]
    assert foreign.read_text() == "mine"


def test_a_refusal_keeps_the_earlier_prediction(video, tmp_path):
    label_frames(video, segment, CLASSES, tmp_path / "out", max_frames=2)
    (tmp_path / "out" / "labels" / "mine.png").write_text("mine")
    with pytest.raises(ConfigError, match=r"labels/mine\.png is not listed"):
        label_frames(video, segment, CLASSES, tmp_path / "out")
    assert names(tmp_path / "out" / "labels") == ["000000.png", "000001.png", "mine.png"]


def test_each_output_can_be_left_out(video, tmp_path):
    label_frames(video, segment, CLASSES, tmp_path / "a")
    label_frames(video, segment, CLASSES, tmp_path / "b", draw=draw, labels=False)
    assert names(tmp_path / "a") == [".predicted", "classes.yaml", "labels"]
    assert names(tmp_path / "b") == [".predicted", "overlay.mp4"]


def test_a_camera_stops_at_max_frames(camera, tmp_path):
    assert label_frames("camera:0", segment, CLASSES, tmp_path / "out", max_frames=5).frames == 5


def test_ctrl_c_on_a_video_goes_on_up_and_leaves_a_playable_part(video, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        label_frames(video, interrupt_after(6), CLASSES, tmp_path / "out", draw=draw)
    assert len(list(VideoFile(tmp_path / "out" / "overlay.mp4"))) == 6
    assert len(names(tmp_path / "out" / "labels")) == 6


class EndlessFile(VideoFile):
    fps, size, count = 10.0, SIZE, None

    def __init__(self):
        pass


@pytest.mark.parametrize("kind", [EndlessFile, FakeCamera])
def test_few_frames_are_held_at_once(monkeypatch, tmp_path, kind):
    alive, most = set(), []

    class Watched(kind):
        def __iter__(self):
            for number in count():
                image = frame(number % 30)
                alive.add(number)
                weakref.finalize(image, alive.discard, number)
                most.append(len(alive))
                yield SourceFrame(f"{number:06d}", image)

    def draw_slowly(image, ids):
        np.sort(np.random.default_rng(0).random(200_000))
        return image

    monkeypatch.setattr(predict_module, "open_source", lambda source: Watched())
    label_frames("source", segment, CLASSES, tmp_path, draw=draw_slowly, max_frames=40)
    assert len(most) >= 40
    assert max(most) <= 4 * predict_module.WAITING


@pytest.fixture
def live(monkeypatch):
    """Give a 10 FPS video of frames 0 to 9 and its network, which is busy with frame 2 until frame 7 has come."""
    begun, come = [Event() for _ in range(10)], Event()

    class Live(VideoFile):
        def __init__(self):
            self.fps, self.size, self.count = 10.0, SIZE, 10

        def __iter__(self):
            for number in range(10):
                before = min(number - 1, 2) if number < 8 else number - 1
                assert before < 0 or begun[before].wait(10)
                yield SourceFrame(f"{number:06d}", np.full((*SIZE, 3), 20 * number, np.uint8))
                if number == 7:
                    come.set()

    def network(image):
        number = image[0, 0, 0] // 20
        begun[number].set()
        assert number != 2 or come.wait(10)
        return segment(image)

    monkeypatch.setattr(predict_module, "open_source", lambda source: Live())
    monkeypatch.setattr(stream_module, "at_own_pace", lambda frames, fps: frames)
    return network


def test_realtime_drops_old_frames_and_keeps_numbers_and_speed(live, tmp_path, capfd):
    summary = label_frames("x.mp4", live, CLASSES, tmp_path / "out", draw=lambda image, ids: image, realtime=True)
    assert (summary.frames, summary.dropped) == (6, 4)
    assert names(tmp_path / "out" / "labels") == [f"{number:06d}.png" for number in (0, 1, 2, 7, 8, 9)]
    overlay = VideoFile(tmp_path / "out" / "overlay.mp4")
    assert (overlay.fps, overlay.count) == (10, 10)
    shown = [round(found.image.mean() / 20) for found in overlay]
    assert shown == [0, 1, 2, 2, 2, 2, 2, 7, 8, 9]
    error = capfd.readouterr().err
    assert "4 dropped" in error and "10/10" in error


def test_realtime_counts_max_frames_without_the_dropped(live, tmp_path):
    summary = label_frames("x.mp4", live, CLASSES, tmp_path / "out", realtime=True, max_frames=4)
    assert (summary.frames, summary.dropped) == (4, 4)
    assert names(tmp_path / "out" / "labels")[-1] == "000007.png"


def test_a_live_camera_runs_until_ctrl_c_and_keeps_everything(camera, tmp_path):
    summary = label_frames("camera:0", interrupt_after(7), CLASSES, tmp_path / "out", draw=draw)
    assert summary.frames == len(names(tmp_path / "out" / "labels")) == 7
    assert list(VideoFile(tmp_path / "out" / "overlay.mp4"))


def test_realtime_of_a_folder_is_refused_before_anything_is_made(folder, tmp_path):
    with pytest.raises(ConfigError, match="realtime needs a video file, a camera or a stream"):
        label_frames(folder, segment, CLASSES, tmp_path / "out", realtime=True)
    assert not (tmp_path / "out").exists()


def test_a_picture_that_comes_late_leaves_its_place_to_the_one_before(tmp_path):
    pictures = [np.full((*SIZE, 3), 60 * value, np.uint8) for value in range(5)]
    with VideoWriter(tmp_path / "out.mp4", 10) as video:
        film = Film(video, lambda image, ids: image, {})
        for place, picture in zip([1, 1, 3, 4, 4], pictures, strict=True):
            film(place, SourceFrame("", picture), np.zeros(SIZE, np.uint8))
    shown = [round(found.image.mean() / 60) for found in VideoFile(tmp_path / "out.mp4")]
    assert shown == [0, 0, 1, 2, 3]


def test_a_full_disk_keeps_the_overlay_until_then(video, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    free = chain([usage(1 << 30)] * 4, repeat(usage(0)))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: next(free))
    with pytest.raises(
        DataError, match=r"overlay\.mp4 ends after 4 frames: the disk .* is full \(.* GB free\)"
    ) as caught:
        label_frames(video, segment, CLASSES, tmp_path / "out", draw=draw)
    assert "\n" not in str(caught.value)
    assert len(list(VideoFile(tmp_path / "out" / "overlay.mp4"))) == 4


def test_the_time_is_split_by_stages(video, folder, tmp_path):
    stages = label_frames(video, segment, CLASSES, tmp_path / "a", draw=draw).stages
    assert stages.keys() == {"decode", "network", "draw", "write", "labels"}
    assert all(seconds > 0 for seconds in stages.values())
    assert label_frames(folder, segment, CLASSES, tmp_path / "b").stages.keys() == {"decode", "network", "labels"}
    assert label_frames(folder, segment, CLASSES, tmp_path / "c", draw=draw).stages.keys() == stages.keys()


def test_a_networks_own_stages_stand_for_it(video, tmp_path):
    class Network:
        seconds: ClassVar = {"prepare": 1.0, "post": 2.0}

        def __call__(self, image):
            return segment(image)

    summary = label_frames(video, Network(), CLASSES, tmp_path / "out")
    assert summary.stages.keys() == {"decode", "prepare", "post", "labels"}
    assert summary.stages["post"] == 2.0
    assert summary.fps_network >= summary.fps_end_to_end


def test_progress_goes_to_stderr_and_shows_the_rate(video, tmp_path, capfd):
    label_frames(video, segment, CLASSES, tmp_path / "out")
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
        label_frames(video, wrong, CLASSES, tmp_path / "out", draw=draw)
    assert not (tmp_path / "out" / "overlay.mp4").exists()


def test_a_network_with_more_classes_is_refused_but_ignore_is_not(video, tmp_path):
    with pytest.raises(DataError, match="more than the 2 classes"):
        label_frames(video, lambda image: segment(image) * 2, CLASSES, tmp_path / "out")
    label_frames(video, lambda image: segment(image) * 255, CLASSES, tmp_path / "out", max_frames=1)
    assert set(np.unique(read_ids(tmp_path / "out" / "labels" / "000000.png"))) == {0, 255}


def test_an_error_while_writing_stops_the_run(video, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels").touch()
    with pytest.raises(DataError, match=r"labels.*cannot be written"):
        label_frames(video, segment, CLASSES, tmp_path / "out")


def test_an_out_that_cannot_be_made_is_named(video, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file.*cannot be written"):
        label_frames(video, segment, CLASSES, tmp_path / "file" / "out")


def test_a_bad_source_makes_no_folder(tmp_path):
    with pytest.raises(DataError, match="not found"):
        label_frames(tmp_path / "no.mp4", segment, CLASSES, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"labels": False}, {"stride": 0}, {"max_frames": 0}])
def test_options_that_make_no_sense_are_refused(video, tmp_path, options):
    with pytest.raises(ConfigError):
        label_frames(video, segment, CLASSES, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_source_is_never_replaced(video, folder, tmp_path):
    video = video.rename(tmp_path / "overlay.mp4")
    before = video.read_bytes()
    with pytest.raises(ConfigError, match="replace their source"):
        label_frames(video, segment, CLASSES, tmp_path, draw=draw)
    folder.rename(tmp_path / "overlay")
    with pytest.raises(ConfigError, match="replace their source"):
        label_frames(str(tmp_path / "overlay"), segment, CLASSES, tmp_path, draw=draw)
    assert video.read_bytes() == before


def test_an_earlier_overlay_is_not_removed_while_it_is_the_source(video, tmp_path):
    label_frames(video, segment, CLASSES, tmp_path / "out", draw=draw)
    with pytest.raises(ConfigError, match="replace their source"):
        label_frames(tmp_path / "out" / "overlay.mp4", segment, CLASSES, tmp_path / "out")
    assert VideoFile(tmp_path / "out" / "overlay.mp4").count == 10
