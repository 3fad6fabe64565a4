import logging

import cv2
import numpy as np
import pytest
from PIL import Image

from weclick import images
from weclick.data.index import FrameKey
from weclick.data.layouts import LAYOUTS, FolderLayout, folder, open_layout
from weclick.errors import ConfigError, DataError

GREY = np.zeros((8, 12, 3), np.uint8)


def write(path, array=GREY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, array)[1].tobytes())
    return path


def make(root, videos, masked=()):
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.yaml").write_text("[road, {name: car, thing: true}]", encoding="utf-8")
    for video, numbers in videos.items():
        for number in numbers:
            write(root / "frames" / video / f"{number:06d}.jpg")
    for video in masked:
        write(root / "masks" / video / f"{videos[video][0]}.png", np.zeros((8, 12), np.uint8))
    return root


def make_video(path, frames=6):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (48, 32))
    for number in range(frames):
        writer.write(np.full((32, 48, 3), number * 40, np.uint8))
    writer.release()
    return path


def videos_of(layout):
    return {split: sorted({frame.key.video for frame in layout.frames(split)}) for split in layout.splits()}


def tree(root):
    return sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*"))


def test_frames_masks_and_instances_are_paired_by_number(tmp_path):
    make(tmp_path, {"hof ä": [3, 4], "weg": [0]})
    mask = write(tmp_path / "masks/hof ä/4.png", np.zeros((8, 12), np.uint8))
    instances = write(tmp_path / "instances/hof ä/0004.png", np.ones((8, 12), np.uint8))
    (tmp_path / "splits.yaml").write_text("train: [hof ä]\nval: [weg]", encoding="utf-8")
    frames = FolderLayout(tmp_path).frames("train")
    assert [(frame.key, frame.label, frame.instances) for frame in frames] == [
        (FrameKey("hof ä", 3), None, None),
        (FrameKey("hof ä", 4), mask, instances),
    ]
    assert images.read_instances(instances).max() == 1


def test_classes_give_the_known_ids(tmp_path):
    layout = FolderLayout(make(tmp_path, {"a": [0]}))
    assert layout.classes.names == ("road", "car")
    assert (*layout.label_ids()[:3], layout.label_ids()[254], layout.label_ids()[255]) == (0, 1, -1, -1, 255)
    assert len(layout.label_ids()) == 256


@pytest.mark.parametrize(("count", "val"), [(2, ["v01"]), (4, ["v03"]), (5, ["v04"]), (11, ["v04", "v09"])])
def test_every_fifth_video_but_at_least_one_validates(tmp_path, count, val):
    names = [f"v{n:02d}" for n in range(count)]
    layout = FolderLayout(make(tmp_path, {name: [0] for name in names}, masked=names))
    found = videos_of(layout)
    assert found["val"] == val
    assert found["train"] == [f"v{n:02d}" for n in range(count) if f"v{n:02d}" not in val]


def test_videos_with_masks_validate(tmp_path):
    layout = FolderLayout(make(tmp_path, {name: [0] for name in "abcd"}, masked="b"))
    assert videos_of(layout) == {"train": ["a", "c", "d"], "val": ["b"]}


@pytest.mark.parametrize(
    ("count", "train", "val"), [(100, (0, 74), (80, 99)), (10, (0, 7), (8, 9)), (2, (0, 0), (1, 1))]
)
def test_single_video_is_cut_with_a_gap(tmp_path, count, train, val):
    make(tmp_path, {"a": range(count)})
    write(tmp_path / f"masks/a/{count - 1}.png", GREY[..., 0])
    layout = FolderLayout(tmp_path)
    spans = [[f.key.number for f in layout.frames(split)] for split in ("train", "val")]
    assert [(span[0], span[-1]) for span in spans] == [train, val]


@pytest.mark.parametrize("videos", [{"a": range(20)}, {name: [0, 1] for name in "abcdef"}])
def test_without_masks_every_frame_trains(tmp_path, videos):
    layout = FolderLayout(make(tmp_path, videos))
    assert layout.splits() == ("train",) and len(layout.frames("train")) == sum(map(len, videos.values()))


def test_a_single_video_without_masks_at_its_end_trains_whole(tmp_path):
    make(tmp_path, {"a": range(20)})
    write(tmp_path / "masks/a/0.png", GREY[..., 0])
    assert FolderLayout(tmp_path).splits() == ("train",)


def test_one_frame_trains(tmp_path):
    assert FolderLayout(make(tmp_path, {"a": [7]})).splits() == ("train",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a, b]", "must map train, val, test to lists"),
        ("train: a", "must map train, val, test to lists"),
        ("training: [a]", "unknown splits: training"),
        ("train: [a, c]", r"unknown videos: 'c'; there are: 7, a, b"),
        ("train: [7]", r"unknown videos: 7; .* \(quote numbers\)"),
        ("train: [[a]]", r"unknown videos: \['a'\]"),
        ("train: [a]\nval: [a, b]", "lists a more than once"),
        ("train: [a", "cannot be read"),
    ],
)
def test_wrong_splits_are_refused(tmp_path, text, message):
    make(tmp_path, {"a": [0], "b": [0], "7": [0]})
    (tmp_path / "splits.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        FolderLayout(tmp_path).frames("train")


def test_masks_without_frame_or_video_are_refused(tmp_path):
    make(tmp_path, {"a": [0], "b": [0]})
    mask = write(tmp_path / "masks/a/5.png", GREY[..., 0])
    with pytest.raises(DataError, match=r"5\.png has no frame 5 in"):
        FolderLayout(tmp_path).frames("train")
    mask.parent.rename(tmp_path / "masks/c")
    with pytest.raises(DataError, match="masks/c belongs to no video; the videos are: a, b"):
        FolderLayout(tmp_path).frames("train")


def test_videos_are_decoded_once_into_frames(tmp_path):
    make(tmp_path, {})
    make_video(tmp_path / "videos/fahrt 1 ü.avi")
    layout = open_layout("auto", tmp_path)
    assert layout.name == "folder"
    assert [frame.key.number for split in layout.splits() for frame in layout.frames(split)] == list(range(6))
    before = tree(tmp_path)
    open_layout("folder", tmp_path)
    assert tree(tmp_path) == before


def test_a_video_that_cannot_be_decoded_is_passed_over_where_that_is_wanted(tmp_path):
    make(tmp_path, {"a": [0]}, masked="a")
    make_video(tmp_path / "videos/b.avi")
    open_layout("folder", tmp_path)
    for name in ("b.avi", "c.avi"):  # decoded before, and never
        (tmp_path / "videos" / name).write_bytes(b"")
    (tmp_path / "masks/c").mkdir()
    (tmp_path / "splits.yaml").write_text("train: [a]\nval: [b, c]")
    refused = []
    layout = open_layout("folder", tmp_path, refused.append)
    assert [str(error).partition(" is ")[0] for error in refused] == [
        f"video {tmp_path / 'videos' / name}" for name in ("b.avi", "c.avi")
    ]
    assert videos_of(layout) == {"train": ["a"]}
    with pytest.raises(DataError, match=r"b\.avi is empty .*move it away"):
        open_layout("folder", tmp_path)


def test_undecoded_video_points_to_open_layout(tmp_path):
    make(tmp_path, {})
    make_video(tmp_path / "videos/a.avi")
    with pytest.raises(DataError, match=r"a\.avi is not decoded into frames yet"):
        FolderLayout(tmp_path)


def test_frames_extracted_by_hand_are_taken_as_they_are(tmp_path):
    make(tmp_path, {"a": [5, 6, 7]})
    make_video(tmp_path / "videos/a.avi")
    layout = open_layout("folder", tmp_path)
    assert [frame.key.number for split in layout.splits() for frame in layout.frames(split)] == [5, 6, 7]


def test_read_only_data_is_decoded_into_the_cache(tmp_path, monkeypatch, caplog):
    root, cache = make(tmp_path / "data", {}), tmp_path / "cache"
    make_video(root / "videos/a.avi")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(folder, "_writable", lambda path: not path.is_relative_to(root))
    before = tree(root)
    layout = open_layout("folder", root)
    assert f"{root} is read-only: decoding its videos into {cache / 'weclick'}" in caplog.text
    assert all(f.image.is_relative_to(cache) for split in layout.splits() for f in layout.frames(split))
    assert tree(root) == before


def test_two_data_sets_share_a_cache_without_mixing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(folder, "_writable", lambda path: False)
    for name, frames in (("x/data", 4), ("y/data", 6)):
        make_video(make(tmp_path / name, {}) / "videos/a.avi", frames)
    counts = []
    for name in ("x/data", "y/data", "x/data"):
        layout = open_layout("folder", tmp_path / name)
        counts.append(sum(len(layout.frames(split)) for split in layout.splits()))
    assert counts == [4, 6, 4]


def test_reading_writes_nothing(tmp_path, caplog):
    make(tmp_path, {"a": range(5), "b": [0]}, masked="a")
    before = tree(tmp_path)
    with caplog.at_level(logging.WARNING):
        layout = open_layout("auto", tmp_path)
        assert layout.frames("train")
    assert tree(tmp_path) == before
    assert not caplog.records


def test_two_files_of_one_video_and_missing_classes_are_refused(tmp_path):
    make(tmp_path, {})
    make_video(tmp_path / "videos/a.avi")
    make_video(tmp_path / "videos/b.avi").rename(tmp_path / "videos/a.mkv")
    with pytest.raises(DataError, match=r"a\.avi and a\.mkv differ only in format"):
        open_layout("folder", tmp_path)
    (tmp_path / "videos/a.mkv").unlink()
    (tmp_path / "classes.yaml").unlink()
    with pytest.raises(DataError, match=r"classes\.yaml not found"):
        open_layout("folder", tmp_path)


def test_open_layout_says_what_it_looked_for(tmp_path):
    with pytest.raises(DataError, match="missing is missing"):
        open_layout("auto", tmp_path / "missing")
    with pytest.raises(DataError, match="is empty"):
        open_layout("auto", tmp_path)
    (tmp_path / "readme.txt").touch()
    with pytest.raises(ConfigError, match="unknown layout 'kitti'; choose one of: cityscapes, camvid, folder"):
        open_layout("kitti", tmp_path)
    with pytest.raises(DataError, match=r"cityscapes: leftImg8bit/ .*; camvid: train/ .*; folder: classes\.yaml"):
        open_layout("auto", tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        open_layout("auto", tmp_path / "readme.txt")
    (tmp_path / "701_StillsRaw_full").mkdir()
    with pytest.raises(DataError, match="weclick data camvid"):
        open_layout("auto", tmp_path)
    (tmp_path / "leftImg8bit").mkdir()
    with pytest.raises(DataError, match="folders of a cityscapes data set but no frame"):
        open_layout("auto", tmp_path)
    (tmp_path / "frames").mkdir()
    (tmp_path / "classes.yaml").write_text("[road]", encoding="utf-8")
    with pytest.raises(DataError, match="holds no video"):
        open_layout("folder", tmp_path)


def test_layouts_are_known_by_their_own_name():
    assert {name: layout.name for name, layout in LAYOUTS.items()} == {name: name for name in LAYOUTS}


def test_videos_in_folders_of_their_own_are_named_by_their_path(tmp_path):
    make(tmp_path, {"day1/cam0": [0], "day1": [5]}, masked=["day1/cam0"])
    make_video(tmp_path / "videos/DAY2/cam0.avi").rename(tmp_path / "videos/DAY2/cam0.AVI")
    (tmp_path / "splits.yaml").write_text("train: [day1, DAY2/cam0]\nval: [day1/cam0]")
    (tmp_path / "frames/day1/loop").symlink_to(tmp_path / "frames", target_is_directory=True)
    layout = open_layout("auto", tmp_path)
    assert videos_of(layout) == {"train": ["DAY2/cam0", "day1"], "val": ["day1/cam0"]}
    assert all(frame.label for frame in layout.frames("val"))
    assert not any(frame.label for frame in layout.frames("train"))
    assert (tmp_path / "frames/DAY2/cam0/000005.jpg").exists()


def test_masks_in_a_folder_of_no_video_are_refused_at_any_depth(tmp_path):
    make(tmp_path, {"day1/cam0": [0]})
    write(tmp_path / "masks/day1/cam1/0.png", GREY[..., 0])
    with pytest.raises(DataError, match=r"masks/day1/cam1 belongs to no video; the videos are: day1/cam0"):
        FolderLayout(tmp_path).frames("train")


@pytest.mark.parametrize("suffix", [".bmp", ".TIF", ".tiff"])
def test_masks_in_other_lossless_formats_are_read(tmp_path, suffix):
    make(tmp_path, {"a": [0], "b": [0]})
    ids = np.arange(2, dtype=np.uint8).repeat(2).reshape(2, 2)
    (tmp_path / "masks/b").mkdir(parents=True)
    Image.fromarray(ids).save(tmp_path / f"masks/b/0{suffix}")
    layout = FolderLayout(tmp_path)
    (frame,) = layout.frames("val")
    assert np.array_equal(images.read_label(frame.label, None), ids)


def test_masks_as_jpeg_are_refused_in_one_line(tmp_path):
    make(tmp_path, {"a": [0, 1], "b": [0]})
    for number in (0, 1):
        write(tmp_path / f"masks/a/{number}.jpg", GREY)
    refused = []
    assert FolderLayout(tmp_path, refused.append).frames("train")
    assert [str(error) for error in refused] == [
        f"{tmp_path / 'masks/a'} holds 2 masks as JPEG, such as 0.jpg; JPEG changes class ids, so write the masks again, as PNG"
    ]
