"""Making a project of videos: whole or not at all, links to the videos, classes that can be read back."""

import cv2
import numpy as np
import pytest
import yaml

from weclick.classes import DISTINCT_COLORS, ClassSet
from weclick.data.dataset import DataSet
from weclick.data.project import LONG_SIDE, Project, default_folder, find_videos, make_classes, make_project
from weclick.errors import DataError


def write_video(path, frames=3, size=(48, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, size[::-1])
    for number in range(frames):
        writer.write(np.full((*size, 3), 40 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "drive" / "monday.mp4")


def test_a_project_is_a_data_set_whose_frames_can_all_be_trained_from(video, tmp_path):
    project = make_project(tmp_path / "p", [video], make_classes(["road", "car"], ["car"]))
    data = DataSet.open(project.folder)
    assert [frame.key for frame in data.layout.frames("train")] == [("monday", number) for number in range(3)]
    assert not data.layout.frames("val")
    assert [(c.name, c.thing) for c in data.classes] == [("road", False), ("car", True)]
    assert project.exists and project.has_classes
    link = project.folder / "videos" / "monday.mp4"
    assert link.is_symlink() and link.resolve() == video.resolve()


def test_where_links_are_impossible_videos_are_copied(video, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    make_project(tmp_path / "p", [video])
    copy = tmp_path / "p" / "videos" / "monday.mp4"
    assert not copy.is_symlink() and copy.read_bytes() == video.read_bytes()


@pytest.mark.parametrize(
    ("size", "trained"), [((48, 64), [48, 64]), ((720, 1280), [270, 480]), ((1280, 720), [480, 270])]
)
def test_the_config_names_the_data_and_a_size_that_is_quick_to_train_at(tmp_path, size, trained):
    project = make_project(tmp_path / "p", [write_video(tmp_path / "v.avi", size=size)])
    data = yaml.safe_load(project.config.read_text())["data"]
    assert data["root"] == str(tmp_path / "p") and data["size"] == trained
    assert max(trained) <= LONG_SIDE


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: [root / "missing.mp4"], "missing.mp4 not found"),
        (lambda root: [(root / "empty").mkdir() or root / "empty"], "holds no video"),
    ],
)
def test_sources_without_videos_are_refused(tmp_path, make, words):
    with pytest.raises(DataError, match=words):
        find_videos(make(tmp_path))


def test_a_refused_project_leaves_nothing(video, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    twin = write_video(tmp_path / "other" / "monday.avi")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    before = sorted(tmp_path.iterdir())
    for folder, videos, words in (
        ("p", [text], "text.mp4"),
        ("p", [video, text], "text.mp4"),
        ("p", [video, twin], "two videos are called monday"),
        ("full", [video], "not empty"),
    ):
        with pytest.raises(DataError, match=words):
            make_project(tmp_path / folder, videos)
    assert sorted(tmp_path.iterdir()) == before


def test_the_folder_of_a_project_lies_beside_its_videos(video):
    assert default_folder([video]) == video.with_name("monday-weclick")
    assert default_folder([video.parent]) == video.parent.with_name("drive-weclick")


def test_names_that_yaml_would_read_as_something_else_stay_names(video, tmp_path):
    names = ["yes", "1", "null", "a: b", "Straße", "- x", "#", "2026-01-01"]
    project = make_project(tmp_path / "p", [video], make_classes([f" {name} " for name in names]))
    assert list(ClassSet.read(project.folder / "classes.yaml").names) == names


@pytest.mark.parametrize(
    ("names", "things", "words"),
    [
        ([], [], "1 to 255 classes"),
        (["a", " "], [], "class 2 needs a name"),
        (["a\nb"], [], "class 1 needs a name"),
        (["a" * 61], [], "class 1 needs a name"),
        (["a", " a"], [], "used twice: a"),
        (["a"], ["b"], "'b' is a thing but no class"),
    ],
)
def test_bad_names_are_refused(names, things, words):
    with pytest.raises(DataError, match=words):
        make_classes(names, things)


def test_classes_that_clicks_may_refer_to_are_not_replaced(video, tmp_path):
    project = make_project(tmp_path / "p", [video], make_classes(["road"]))
    with pytest.raises(DataError, match="exists"):
        project.name_classes(make_classes(["car"]))
    assert ClassSet.read(project.folder / "classes.yaml").names == ("road",)


def test_colours_differ_and_stand_out_from_black_and_white():
    classes = make_classes([f"class {number}" for number in range(40)])
    assert len({c.color for c in classes}) == 40
    assert all(60 < max(color) and min(color) < 225 for color in DISTINCT_COLORS)


def test_a_folder_of_something_else_is_no_project(tmp_path):
    assert not Project(tmp_path).exists


def test_crops_of_wide_and_tall_videos_are_squares_that_lie_inside_of_both(tmp_path):
    wide, tall = (
        write_video(tmp_path / "wide.avi", size=(720, 1280)),
        write_video(tmp_path / "tall.avi", size=(1280, 720)),
    )
    read = [
        yaml.safe_load(make_project(tmp_path / name, videos).config.read_text())
        for name, videos in (("both", [wide, tall]), ("one", [wide]))
    ]
    assert read[0]["data"]["draws"] == {"crop": [256, 256]}
    assert "draws" not in read[1]["data"]
