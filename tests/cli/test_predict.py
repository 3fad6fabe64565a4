"""`weclick predict`: its options from the command line."""

import shutil

import cv2
import numpy as np
import pytest


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (96, 64))
    for index in range(5):
        writer.write(np.full((64, 96, 3), 30 * index, np.uint8))
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "0.png"), np.zeros((64, 96, 3), np.uint8))
    return tmp_path / "frames"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--smooth", "1.5"], ["smooth", "below 1", "1.5"]),
        (["--smooth=-0.1"], ["smooth", "-0.1"]),
        (["--alpha", "2"], ["alpha", "0 to 1", "2"]),
        (["--stride", "0"], ["stride", "at least 1"]),
        (["--max_frames", "0"], ["max_frames", "at least 1"]),
        (["--overlay", "false", "--labels", "false"], ["nothing to write"]),
    ],
    ids=" ".join,
)
def test_values_that_make_no_sense_are_refused(weclick, trained, film, tmp_path, options, words):
    weclick("predict", "--source", film, "--runs", trained, "--out", "out", *options).refused_at_once(*words)
    assert not (tmp_path / "out").exists()


def test_a_folder_has_no_time_of_its_own(weclick, trained, folder, tmp_path):
    result = weclick("predict", "--source", folder, "--runs", trained, "--out", "out", "--realtime", "true")
    result.refused_at_once("frames is a folder of images", "realtime")
    assert not (tmp_path / "out").exists()


def test_realtime_tells_what_was_dropped(weclick, trained, film, tmp_path):
    options = ["--realtime", "true", "--smooth", "0.5", "--legend", "false"]
    result = weclick("predict", "--source", film, "--runs", trained, "--out", "out", *options).done()
    frames, dropped = (int(part.split()[0]) for part in result.out.split(", ")[:2])
    assert frames + dropped == 5
    assert f"{frames} frames, {dropped} dropped, in " in result.out
    assert len(list((tmp_path / "out" / "labels").iterdir())) == frames
    assert cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 5


def test_a_second_prediction_says_that_it_replaces_the_first(weclick, trained, film, folder, tmp_path):
    command = ("predict", "--runs", trained, "--overlay", "false", "--source")
    assert "earlier" not in weclick(*command, film).done().out
    assert "in place of an earlier prediction" in weclick(*command, folder).done().out
    assert [path.name for path in (tmp_path / "predictions" / "labels").iterdir()] == ["0.png"]
    (tmp_path / "predictions" / ".predicted").unlink()
    weclick(*command, film).refused_at_once("predictions/classes.yaml (and 1 more)", "another output folder")


def test_the_help_says_what_smoothing_does_not_do(weclick):
    text = " ".join(weclick("predict", "--help", "all").done().out.split())
    for words in ("--realtime", "newest frame", "--smooth", "motion is not compensated", "--legend", "--alpha"):
        assert words in text


def test_the_original_can_stand_beside_the_overlay(weclick, trained, film, tmp_path):
    options = ["--runs", trained, "--out", "out", "--labels", "false", "--compare", "true"]
    for _ in range(2):  # the second replaces the first
        assert "compare.webm" in weclick("predict", "--source", film, *options).done().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".predicted", "compare.webm"]
    video = cv2.VideoCapture(str(tmp_path / "out" / "compare.webm"))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (192, 64)


@pytest.fixture
def films(tmp_path, film):
    (tmp_path / "films" / "more").mkdir(parents=True)
    for name in ("a.mp4", "b.MP4", "more/a.mp4"):
        shutil.copy(film, tmp_path / "films" / name)
    return tmp_path / "films"


@pytest.mark.parametrize(
    ("source", "folders"),
    [("films", {"a", "b"}), ("films/?.mp4", {"a"}), ("films/**/*.mp4", {"films-a.mp4", "films-more-a.mp4"})],
)
def test_several_videos_each_get_a_folder(weclick, trained, films, tmp_path, source, folders):
    result = weclick("predict", "--source", source, "--runs", trained, "--out", "out", "--overlay", "false").done()
    assert {path.name for path in (tmp_path / "out").iterdir()} == folders
    assert all(len(list((tmp_path / "out" / name / "labels").iterdir())) == 5 for name in folders)
    assert result.out.count("5 frames in ") == len(folders)


def test_a_video_that_cannot_be_read_does_not_stop_the_others(weclick, trained, films, tmp_path):
    (films / "a.mp4").write_bytes(b"no video")
    result = weclick("predict", "--source", films, "--runs", trained, "--out", "out", "--overlay", "false")
    result.refused("1 of 2 videos", films / "a.mp4")
    assert "warning: " in result.err
    assert len(list((tmp_path / "out" / "b" / "labels").iterdir())) == 5


def test_an_empty_source_is_not_the_current_folder(weclick, trained, films, monkeypatch):
    monkeypatch.chdir(films)
    weclick("predict", "--source=", "--runs", trained).refused_at_once("--source is empty")


def test_a_pattern_that_matches_nothing_is_refused(weclick, trained, tmp_path):
    weclick("predict", "--source", "films/*.mp4", "--runs", trained).refused_at_once("no file matches films/*.mp4")
