import io
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from rich.console import Console

from weclick.data.check import check_data, print_report
from weclick.data.index import segments
from weclick.data.layouts import open_layout
from weclick.errors import DataError


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, array)[1].tobytes())
    return path


@pytest.fixture
def root(tmp_path):
    """Two videos: three train frames, two of them labelled, and one labelled val frame."""
    root = tmp_path / "daten ü"
    for video, number in (("a", 0), ("a", 1), ("a", 5), ("b", 0)):
        write(root / "frames" / video / f"{number}.png", np.full((4, 6, 3), 90, np.uint8))
    label = np.zeros((4, 6), np.uint8)
    label[:2, :3], label[2:] = 1, 255
    for video, number in (("a", 0), ("a", 1), ("b", 0)):
        write(root / "masks" / video / f"{number}.png", label)
    (root / "classes.yaml").write_text("[road, {name: '[car]', thing: true}]", encoding="utf-8")
    (root / "splits.yaml").write_text("train: [a]\nval: [b]", encoding="utf-8")
    return root


def printed(report):
    console = Console(file=io.StringIO(), width=120)
    print_report(report, console)
    return console.file.getvalue()


def test_counts_sizes_and_shares_by_hand(root):
    told = []
    report = check_data(open_layout("auto", root), progress=lambda *step: told.append(step))
    train, val = report.splits["train"], report.splits["val"]
    assert (train.videos, train.segments, train.frames, train.labelled) == (["a"], 2, 3, 2)
    assert (val.videos, val.segments, val.frames, val.labelled) == (["b"], 1, 1, 1)
    assert train.sizes == {(4, 6): 3}
    assert train.pixels.tolist() == [12, 12, 24]
    assert train.shares.tolist() == [0.5, 0.5]
    assert report.ok
    assert told == [(n, 4) for n in range(1, 5)]


def test_the_distance_of_frames_is_printed_with_the_gaps(root):
    text = printed(check_data(open_layout("auto", root)))
    assert "train: a (numbers 1 apart, 1 gap)" in text
    assert "val: b (numbers 1 apart, no gaps)" in text


def test_frames_numbered_by_the_time_are_named_so(root):
    for number in (0, 51, 99, 250):
        write(root / f"frames/c/{1403636579763000000 + number * 10**6}.png", np.full((4, 6, 3), 90, np.uint8))
    (root / "splits.yaml").write_text("train: [c]\nval: [b]", encoding="utf-8")
    assert "train: c (19.61 fps by the times in names, 1 gap)" in printed(check_data(open_layout("auto", root)))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="makes its videos with ffmpeg")
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_missing_frames_of_a_video_are_gaps_and_leave_numbers_as_they_are(tmp_path, name):
    (tmp_path / "videos").mkdir()
    (tmp_path / "classes.yaml").write_text("[road]", encoding="utf-8")
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30000/1001:duration=2")
    keep = ("-vf", "select=not(between(n\\,30\\,34))", "-vsync", "vfr")
    subprocess.run(["ffmpeg", "-v", "error", *source, *keep, tmp_path / "videos" / name], check=True)
    layout = open_layout("auto", tmp_path)
    assert [frame.key.number for frame in layout.frames("train")] == list(range(55))
    assert [segment.frames[0].key.number for segment in segments(layout.frames("train"))] == [0, 30]
    # Matroska rounds stamps to milliseconds
    assert re.search(r"train: a \(29\.9[67] fps by time stamps, 1 gap\)", printed(check_data(layout)))


def test_report_is_printed(root):
    text = printed(check_data(open_layout("auto", root)))
    assert "folder layout, 2 classes" in text
    assert "6x4 (3)" in text
    assert "[car]" in text
    assert "no problems found" in text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("frames/a/1.png", b"", "is empty"),
        ("frames/a/1.png", b"\x89PNG\r\n\x1a\n", "is truncated"),
        ("frames/a/1.png", np.zeros((4, 6, 3), np.uint16), "16 bits"),
        ("frames/a/5.png", np.zeros((8, 6, 3), np.uint8), "6x8 but its video starts with 6x4"),
        ("masks/a/1.png", np.zeros((4, 5), np.uint8), "is 5x4 but its image"),
        ("masks/a/1.png", np.full((4, 6), 2, np.uint8), r"unknown label values [2]"),
        ("masks/a/1.png", np.zeros((4, 6, 3), np.uint8), "one 8-bit channel"),
        ("instances/a/1.png", np.zeros((4, 5), np.uint8), "is 5x4 but its image"),
    ],
)
def test_a_bad_file_is_one_problem_that_names_it(root, name, content, message):
    path = root / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write(path, content)
    report = check_data(open_layout("auto", root))
    (problem,) = report.problems
    assert str(path) in problem
    assert message in problem
    assert not report.ok
    text = printed(report)
    assert problem in text
    assert "1 problems" in text


def test_a_file_that_vanishes_is_a_problem(root):
    layout = open_layout("auto", root)
    (root / "frames/a/1.png").unlink()
    assert ["not found" in problem for problem in check_data(layout).problems] == [True]


def test_data_without_a_labelled_frame_is_in_order_and_says_so(root):
    for mask in root.rglob("masks/*/*.png"):
        mask.unlink()
    report = check_data(open_layout("auto", root))
    assert report.ok
    assert "no masks: clicks can be trained from" in printed(report)
    assert report.splits["train"].shares.tolist() == [0, 0]


def test_only_the_first_problems_are_printed(root):
    for number in range(10, 40):
        (root / f"frames/a/{number}.png").touch()
    text = printed(check_data(open_layout("auto", root)))
    assert text.count("is empty") == 20
    assert "... and 10 more" in text


def test_a_mask_without_image_is_noted_beside_what_reading_finds(root):
    (root / "frames/a/1.png").unlink()
    (root / "frames/a/5.png").write_bytes(b"")
    problems = []
    layout = open_layout("folder", root, lambda error: problems.append(str(error)))
    first, second = check_data(layout, problems).problems
    assert "masks/a/1.png has no frame 1" in first and "5.png is empty" in second
    with pytest.raises(DataError, match=r"masks/a/1\.png has no frame 1"):
        open_layout("folder", root)


def test_a_splits_file_that_is_wrong_is_noted(root):
    (root / "splits.yaml").write_text("train: [a, c]")
    problems = []
    report = check_data(open_layout("folder", root, lambda error: problems.append(str(error))), problems)
    assert len(report.problems) == 1 and "unknown videos: 'c'" in report.problems[0]


def test_stills_that_do_not_fit_are_all_noted(tmp_path):
    grey = np.zeros((4, 6), np.uint8)
    for name in (
        "train/x_1",
        "val/x_1",
        "train/holiday",
        "trainannot/x_1",
        "trainannot/x_2",
        "valannot/x_1",
        "frames/y/z",
    ):
        write(tmp_path / f"{name}.png", grey)
    problems = []
    report = check_data(open_layout("camvid", tmp_path, lambda error: problems.append(str(error))), problems)
    for words in (
        "holiday.png is not named",
        "x_2.png has no image",
        "also a frame of train",
        "z.png has no frame",
    ):
        assert sum(words in problem for problem in report.problems) == 1, report.problems
    assert len(report.problems) == 4


def fill_masks(root, value, names=("a/0", "a/1", "b/0")):
    for name in names:
        write(root / "masks" / f"{name}.png", np.full((4, 6), value, np.uint8))


def test_masks_of_black_and_white_are_warned_of(root):
    label = np.zeros((4, 6), np.uint8)
    label[:2] = 255
    for name in ("a/0", "a/1", "b/0"):
        write(root / "masks" / f"{name}.png", label)
    report = check_data(open_layout("auto", root))
    assert report.ok
    assert report.warnings == ["all 3 masks hold road and no other class: 255 is void and no class; write 1 for [car]"]
    assert "write 1 for [car]" in printed(report)


def test_masks_of_a_single_class_without_void_are_warned_of_too(root):
    fill_masks(root, 0)
    assert "no other class: they must hold class ids" in check_data(open_layout("auto", root)).warnings[0]


def test_a_set_of_a_single_class_may_have_masks_of_it(root):
    (root / "classes.yaml").write_text("[road]")
    fill_masks(root, 0)
    assert not check_data(open_layout("auto", root)).warnings


def test_masks_that_are_void_everywhere_are_counted(root):
    fill_masks(root, 255, ["a/1"])
    [warning] = check_data(open_layout("auto", root)).warnings
    assert "1 of 3 masks are void (255) everywhere" in warning and warning.endswith("a/1.png")
    fill_masks(root, 255)
    assert "all 3 masks are void" in check_data(open_layout("auto", root)).warnings[0]


def test_videos_that_differ_in_case_only_are_warned_of(root):
    write(root / "frames" / "A" / "0.png", np.zeros((4, 6, 3), np.uint8))
    (root / "splits.yaml").write_text("train: [a, A]\nval: [b]")
    assert "videos A and a differ in case only" in check_data(open_layout("auto", root)).warnings[0]
