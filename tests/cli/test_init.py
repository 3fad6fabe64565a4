"""`weclick init`: a project folder without a browser."""

import cv2
import numpy as np
import pytest


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "videos").mkdir()
    writer = cv2.VideoWriter(str(tmp_path / "videos/a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return tmp_path / "videos"


def test_a_project_can_be_checked_at_once(weclick, videos, tmp_path):
    result = weclick("init", "p", "--videos", videos, "--classes", "road,car", "--things", "car").done()
    assert "classes road, car" in result.out and "weclick start p" in result.out
    weclick("data", "check", "p").done()
    assert len(list((tmp_path / "p/frames/a").glob("*.jpg"))) == 3


def test_wrong_usage_and_bad_input_are_refused_in_one_line(weclick, videos, tmp_path):
    weclick("init", "p", "--classes", "a").refused_at_once("videos", status=2)
    weclick("init", "p", "--videos", videos, "--class", "a").refused_at_once(status=2)
    weclick("init", "p", "--videos", "missing", "--classes", "a").refused_at_once("missing")
    weclick("init", "p", "--videos", videos, "--classes", "a,,b").refused_at_once("class 2")
    assert not (tmp_path / "p").exists()
    weclick("init", "p", "--videos", videos, "--classes", "a").done()
    weclick("init", "p", "--videos", videos, "--classes", "a").refused_at_once("not empty")


def test_a_clicked_project_is_trained_with_its_own_config(weclick, videos, tmp_path):
    weclick("init", "p", "--videos", videos, "--classes", "road,car").done()
    assert weclick("data", "check", "p").done().out.splitlines()[-1] == "next: weclick annotate p"
    (tmp_path / "in.csv").write_text("video,number,x,y,class,annotator\na,0,1,2,car,\n")
    weclick("clicks", "import", "p", "in.csv").done()
    following = weclick("data", "check", "p").done().out.splitlines()[-1]
    assert following == "next: weclick fit --config p/config.yaml --runs p/runs"
