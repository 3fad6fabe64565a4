"""`weclick start` as a command: which project it opens, what it refuses, how it ends."""

import re
import signal
import subprocess
import sys
import urllib.request

import cv2
import numpy as np
import pytest

from weclick.cli.main import run
from weclick.cli.start import open_project
from weclick.data.project import Project


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "drive" / "a.avi")


def write_video(path):
    path.parent.mkdir(exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(2):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return path


@pytest.fixture
def served(monkeypatch):
    """What would be served, without serving it."""
    served = []
    monkeypatch.setattr("weclick.cli.start.serve", lambda app, *_, **options: served.append((app, options)))
    return served


def test_the_project_lies_beside_the_video_and_is_opened_again(served, video, capfd):
    for _ in range(2):
        assert run(["start", str(video), "--port", "0"]) == 0
    folder = video.with_name("a-weclick")
    assert [app.project for app, _ in served] == [Project(folder)] * 2
    assert f"the project is {folder}" in capfd.readouterr().out
    assert served[0][1] == {"open_browser": True}
    assert open_project([folder], None) == Project(folder)


def test_a_folder_of_videos_has_one_project(served, video, tmp_path):
    write_video(video.with_name("b.avi"))
    assert run(["start", str(video.parent), "--port", "0", "--project", str(tmp_path / "p")]) == 0
    assert list(Project(tmp_path / "p").videos) == ["a", "b"]


def test_what_cannot_be_a_project_is_refused_in_one_line(weclick, video, tmp_path):
    options = ("--port", 0, "--open", "false")
    weclick("start", "missing.mp4", *options).refused_at_once("missing.mp4")
    weclick("start", *options).refused_at_once("videos", status=2)
    weclick("start", video, "--goal", 0, *options).refused_at_once("--goal")
    (tmp_path / "text.mp4").write_text("no video")
    weclick("start", "text.mp4", *options).refused_at_once("text.mp4")
    assert not (tmp_path / "text-weclick").exists()
    weclick("start", video, "--project", tmp_path, *options).refused_at_once("not empty")
    open_project([video], str(tmp_path / "p"))
    other = write_video(tmp_path / "other.avi")
    weclick("start", other, "--project", "p", *options).refused_at_once("p is a project without other.avi", "--project")


def test_nothing_of_the_training_is_imported():
    program = """
import sys
from weclick.cli.start import main
try:
    main("start", ["--help"])
except SystemExit:
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning"} & set(done.stdout.split())


@pytest.mark.slow
def test_a_signal_ends_it_while_the_page_still_asks_for_classes(video):
    command = [sys.executable, "-m", "weclick", "start", str(video), "--port", "0", "--open", "false"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = re.match(r"open (http://127\.0\.0\.1:[0-9]+/) ", process.stdout.readline())[1]
        with urllib.request.urlopen(f"{url}api/setup", timeout=30) as response:
            assert response.status == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
