"""What kill -9 leaves: it is gone after the same command has run again, and what others are writing stays."""

import os
import shutil

import cv2
import numpy as np
import pytest

from weclick.inference.writer import VideoWriter

KILLED = """
import os, signal, sys
from pathlib import Path
from weclick.cli.main import run

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

{patch}
run(sys.argv[1:])
"""
ON_REPLACE = """
replace = Path.replace
Path.replace = lambda path, target: die() if Path(target).name == {name!r} else replace(path, target)
"""
ON_FRAME = """
from weclick.data import decode
write = Path.write_bytes
Path.write_bytes = lambda path, data: die() if path.name == "000003.jpg" else write(path, data)
"""


@pytest.fixture
def kill(forked, tmp_path):
    """Run a command in a process that kills itself in the middle of writing."""

    def call(patch, *arguments):
        process = forked("-c", KILLED.format(patch=patch), *arguments, cwd=tmp_path, env=os.environ)
        _, err = process.communicate(timeout=300)
        assert process.returncode == -9, err

    return call


def hidden(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(".*"))


def test_a_synthetic_data_set(kill, weclick, tmp_path):
    command = ("data", "synthetic", tmp_path / "street", *("--train", 1, "--val", 0, "--frames", 2, "--target", 1))
    kill("Path.write_text = die", *command, "--size", "[32,64]")
    assert hidden(tmp_path)
    weclick(*command, "--size", "[32,64]").done()
    assert not hidden(tmp_path)


def test_decoded_frames(kill, weclick, tmp_path):
    with VideoWriter(tmp_path / "drive.webm", 10) as video:
        for _ in range(6):
            video.write(np.zeros((32, 64, 3), np.uint8))
    (tmp_path / "set" / "videos").mkdir(parents=True)
    (tmp_path / "drive.webm").rename(tmp_path / "set" / "videos" / "drive.webm")
    (tmp_path / "set" / "classes.yaml").write_text("[road]\n")
    kill(ON_FRAME, "data", "check", tmp_path / "set")
    assert hidden(tmp_path)
    weclick("data", "check", tmp_path / "set")
    assert not hidden(tmp_path)
    assert len(list((tmp_path / "set" / "frames" / "drive").glob("*.jpg"))) == 6


@pytest.mark.parametrize("name", ["clicks.sqlite", ".clicks-writing.sqlite"])
def test_simulated_clicks(kill, weclick, synthetic_root, tmp_path, name):
    command = ("clicks", "simulate", synthetic_root, "--out", tmp_path / "new" / "clicks.sqlite")
    kill(ON_REPLACE.format(name=name), *command)
    assert hidden(tmp_path)
    weclick(*command).done()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["clicks.sqlite"]


def test_exported_clicks(kill, weclick, folder_root, tmp_path):
    kill(ON_REPLACE.format(name="c.csv"), "clicks", "export", folder_root, tmp_path / "c.csv")
    assert hidden(tmp_path) == [".c-writing.csv"]
    weclick("clicks", "export", folder_root, tmp_path / "c.csv").done()
    assert not hidden(tmp_path)


def test_a_run(weclick, trained, tmp_path):
    run = shutil.copytree(trained / "done", tmp_path / "done")
    for name in (".clicks.lock", ".config-writing.yaml", "teacher/.best-writing.ckpt", "memory/.manifest-writing.json"):
        (run / name).touch()
    weclick("fit", "--resume", run).done()
    assert hidden(run) == [".lock"]


def test_a_prediction_of_fewer_frames(weclick, trained, tmp_path):
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "0.png"), np.zeros((64, 128, 3), np.uint8))
    for name in ("labels/.7-writing.png", ".overlay-writing.mp4"):  # of a killed prediction
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).touch()
    weclick("predict", "--run", trained / "done", "--source", tmp_path / "frames", "--out", tmp_path / "out").done()
    assert hidden(tmp_path / "out") == [".predicted"]
