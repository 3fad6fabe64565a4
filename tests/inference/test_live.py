"""Cameras and streams: a local server drops connections and comes back. Nothing waits: pauses are stand-ins."""

import logging
import os
import signal
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, pairwise
from threading import Event, Thread

import cv2
import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.errors import ConfigError, DataError
from weclick.inference import live
from weclick.inference import predict as predict_module
from weclick.inference.live import FIRST, LOST, LiveSource
from weclick.inference.predict import label_frames
from weclick.inference.sources import VideoFile, open_source
from weclick.inference.writer import VideoWriter
from weclick.signals import Interrupted, handled, stopping
from weclick.video import Address

CLASSES = ClassSet.from_list([{"name": "dark"}, {"name": "bright"}])
SIZE = (48, 64)
PATIENCE = 10.0  # of a test that would otherwise hang


def grey(value, size=SIZE):
    return np.full((*size, 3), value, np.uint8)


class Server(ThreadingHTTPServer):
    """Gives each connection the pictures of the next of ``scripts``, then drops it, and 404 when there is none left.

    FFmpeg opens such a stream from three pictures on.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.server_port}"
        self.url = f"http://anna:secret@127.0.0.1:{self.server_port}/video?token=hidden"
        self.scripts, self.file = [], b""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/file.mp4":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.file)))
            self.end_headers()
            self.wfile.write(self.server.file)
        elif self.server.scripts:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with suppress(OSError):  # the client has left
                for image in self.server.scripts.pop(0):
                    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
        else:
            self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Waits(list):
    """Records for how long to wait, and does not wait."""

    def __call__(self, seconds):
        self.append(seconds)
        return False


def segment(image):
    return (image[..., 0] > 100).astype(np.uint8)


def numbers(folder):
    return sorted(int(path.stem) for path in folder.iterdir())


def test_a_dropped_stream_is_opened_again_and_its_frames_are_numbered_on(server, caplog):
    server.scripts = [[grey(value) for value in (20, 50, 80)], [grey(value) for value in (110, 140, 170, 200)]]
    source = LiveSource(Address(server.url), waits := Waits())
    assert (source.size, source.count, source.fps) == (SIZE, None, 25)
    frames = list(source)
    assert [frame.name for frame in frames] == [f"{number:06d}" for number in range(7)]
    assert [frame.image.mean() for frame in frames] == pytest.approx(range(20, 201, 30), abs=2)
    assert waits == [FIRST[0], LOST[0], *LOST]
    lost = f"connection to {server.host} lost; trying again in 1 s"
    *messages, last = caplog.messages
    assert messages == [lost, f"connected to {server.host} again", lost]
    assert f"{server.host} cannot be opened" in last and f"({len(LOST)} attempts); it ends here" in last


def test_pauses_grow_up_to_half_a_minute_and_end_after_ten():
    assert all(before <= after <= 2 * before for before, after in pairwise(LOST))
    assert max(LOST) == 30 and 600 <= sum(LOST) < 660


def test_a_stream_that_never_opens_ends_in_one_line_without_secrets(server, capfd):
    waits = Waits()
    with pytest.raises(DataError, match=rf"{server.host} cannot be opened; check .* \(3 attempts\)") as caught:
        LiveSource(Address(server.url), waits)
    assert tuple(waits) == FIRST
    assert not any(secret in str(caught.value) for secret in ("anna", "secret", "hidden", "\n"))
    assert capfd.readouterr().err == ""


def test_a_stream_that_opens_late_is_read(server):
    def start(seconds):
        server.scripts = [[grey(80)] * 3] if seconds == FIRST[2] else []

    assert LiveSource(Address(server.url), start).size == SIZE


def test_a_stream_without_frames_is_refused(server):
    server.scripts = [[], [], []]
    with pytest.raises(DataError, match=rf"{server.host} (gives no frame|cannot be opened)"):
        LiveSource(Address(server.url), Waits())


def test_frames_of_another_size_end_a_stream(server, caplog):
    server.scripts = [[grey(20)] * 3, [grey(20, (24, 32))] * 3]
    assert len(list(LiveSource(Address(server.url), Waits()))) == 3
    assert caplog.messages[-1] == f"{server.host} gives frames of 32x24, no longer 64x48; it ends here"


def test_a_closed_source_waits_no_longer(server, caplog):
    server.scripts = [[grey(20)] * 3]
    frames = iter(source := LiveSource(Address(server.url)))
    next(frames)
    source.close()
    assert len(list(frames)) == 2
    assert caplog.messages == [f"connection to {server.host} lost; trying again in 1 s"]


def test_prediction_goes_on_with_the_newest_frames_after_a_loss(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(live, "FIRST", (0,))
    monkeypatch.setattr(live, "LOST", (0, 0))
    server.scripts = [[grey(20)] * 3, cycle([grey(180)])]
    summary = label_frames(server.url, segment, CLASSES, tmp_path / "out", draw=lambda image, _: image, max_frames=6)
    found = numbers(tmp_path / "out" / "labels")
    assert len(found) == summary.frames == 6
    assert found[-1] == summary.frames + summary.dropped - 1
    assert cv2.imread(str(tmp_path / "out" / "labels" / f"{found[-1]:06d}.png"), cv2.IMREAD_UNCHANGED).all()
    assert VideoFile(tmp_path / "out" / "overlay.mp4").size == SIZE
    assert [message.split(";")[0] for message in caplog.messages[:1]] == [f"connection to {server.host} lost"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"secret" not in written and b"hidden" not in written


def predict_until(server, tmp_path, monkeypatch, signum):
    """Predict a stream of three frames; when it is lost and the last one is being drawn, the process gets a signal."""
    drawing = Event()

    def wait(seconds):
        if seconds:
            assert drawing.wait(PATIENCE)
            os.kill(os.getpid(), signum)
            return source._closed.wait(PATIENCE)
        return False

    def draw(image, ids):
        if ids.any():
            drawing.set()
        return image

    server.scripts = [[grey(20), grey(20), grey(180)]]
    source = LiveSource(Address(server.url), wait)
    monkeypatch.setattr(predict_module, "open_source", lambda _: source)
    # a shell lets what it starts in the background ignore SIGINT
    with stopping(), handled((signal.SIGINT,), signal.default_int_handler):
        return label_frames(server.url, segment, CLASSES, tmp_path / "out", draw=draw)


def test_ctrl_c_while_a_stream_is_lost_is_its_usual_end(server, tmp_path, monkeypatch):
    summary = predict_until(server, tmp_path, monkeypatch, signal.SIGINT)
    assert summary.frames + summary.dropped == 3
    assert numbers(tmp_path / "out" / "labels")[-1] == 2
    assert list(VideoFile(tmp_path / "out" / "overlay.mp4"))


def test_sigterm_while_a_stream_is_lost_keeps_what_was_written(server, tmp_path, monkeypatch):
    with pytest.raises(Interrupted):
        predict_until(server, tmp_path, monkeypatch, signal.SIGTERM)
    assert numbers(tmp_path / "out" / "labels")[-1] == 2
    assert list(VideoFile(tmp_path / "out" / "overlay.mp4"))


def test_a_video_file_on_a_web_server_is_no_stream(server, tmp_path, caplog):
    with VideoWriter(tmp_path / "file.mp4", 10) as writer:
        for value in range(20, 140, 10):
            writer.write(grey(value))
    server.file = (tmp_path / "file.mp4").read_bytes()
    source = open_source(f"{server.host}/file.mp4")
    assert isinstance(source, VideoFile)
    assert (source.count, source.fps, source.size) == (12, 10, SIZE)
    assert [frame.name for frame in source] == [f"{number:06d}" for number in range(12)]
    assert not caplog.records


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://host:554/live?user=anna", "rtsp://host:554"),
        ("http://anna:secret@host/video", "http://host"),
        ("https://anna:se/c?r#e@t@host", "https://host"),
    ],
)
def test_an_address_shows_only_its_host(url, shown):
    assert str(Address(url)) == f"{Address(url)}" == shown
    assert url not in repr(Address(url))


def test_other_kinds_of_addresses_are_refused_without_secrets():
    with pytest.raises(ConfigError, match=r"ftp://host are not read; give one of rtsp, rtsps, http, https"):
        open_source("ftp://anna:secret@host/video.mp4")


@pytest.fixture
def device(tmp_path, monkeypatch):
    """Stand-ins for camera 0: each time it is opened it gives one grey frame less, from two on, and states no frame rate."""
    real, left = cv2.VideoCapture, [2, 1]

    class Device:
        def __init__(self, number):
            self.frames = [grey(90)] * (left.pop(0) if left else 0)

        def isOpened(self):
            return bool(self.frames)

        def read(self):
            return (True, self.frames.pop()) if self.frames else (False, None)

        def get(self, key):
            return 0.0

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", lambda *which: Device(0) if which == (0,) else real(*which))


def test_a_camera_without_a_frame_rate_gets_the_usual_one(device, caplog):
    camera = open_source("camera:0")
    assert isinstance(camera, LiveSource)
    assert (camera.fps, camera.size, camera.count) == (25.0, SIZE, None)
    assert "camera 0 states no usable frame rate (0); 25 FPS are assumed" in caplog.messages


def test_an_unplugged_camera_is_opened_again_and_at_last_ends_with_everything_kept(
    device, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(live, "LOST", (0, 0))
    with caplog.at_level(logging.WARNING):
        summary = label_frames("camera:0", segment, CLASSES, tmp_path / "out", draw=lambda image, _: image)
    lost = "connection to camera 0 lost; trying again in 0 s"
    assert caplog.messages[1:4] == [lost, "connected to camera 0 again", lost]
    assert caplog.messages[4].startswith("camera 0 cannot be opened; check that it is plugged in")
    assert summary.frames + summary.dropped == 3
    assert len(numbers(tmp_path / "out" / "labels")) == summary.frames
    assert list(VideoFile(tmp_path / "out" / "overlay.mp4"))
