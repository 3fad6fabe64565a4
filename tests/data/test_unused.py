import cv2
import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.clicks import Click
from weclick.data.index import FrameKey
from weclick.data.layouts import open_layout
from weclick.data.unused import unused_classes, unused_clicks, unused_files, unused_messages


@pytest.fixture
def make(tmp_path):
    """Write a data set of so many videos, with masks for some."""

    def build(videos, masked=(), frames=10):
        for video in videos:
            for kind in ("frames", "masks") if video in masked else ("frames",):
                (tmp_path / kind / video).mkdir(parents=True)
                for number in range(frames):
                    cv2.imwrite(str(tmp_path / kind / video / f"{number}.png"), np.zeros((4, 6), np.uint8))
        (tmp_path / "classes.yaml").write_text("[road, car]")
        return open_layout("auto", tmp_path)

    return build


def test_clicks_are_counted_where_nothing_is_trained_from_them(make):
    layout, click = make(["a", "b"], masked=["b"]), Click(1, 1, 0)
    clicks = {FrameKey("a", 0): [click], FrameKey("b", 1): [click, click], FrameKey("sunday", 0): [click]}
    assert unused_clicks(layout, clicks).startswith(
        "clicks not trained from: 2 in val (b), 1 on frames of no split (sunday); "
    )
    assert unused_clicks(layout, {FrameKey("a", 0): [click]}) is None


def test_classes_without_clicks_are_named():
    classes = ClassSet.from_list([{"name": name} for name in ("road", "car", "tree")])
    assert unused_classes(classes, {0, 1, 2}) is None
    assert unused_classes(classes, {1}) == "never clicked, so never learned: road, tree"
    assert "road is the only class" in unused_classes(ClassSet.from_list([{"name": "road"}]), {0})


def test_promise_11_every_file_that_is_not_used_is_counted_and_named_with_why(make, tmp_path):
    make(["a", "b", "c"], frames=3)
    for name in (
        *("frames/a/7.gif", "frames/a/8.gif", "frames/loose.png", "videos/notes.txt", "masks/a/0.npy", "masks/README"),
        *("frames/a/.hidden", "frames/a/Thumbs.db", "frames/a/decoded.json"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "splits.yaml").write_text("train: [a, b]")
    layout = open_layout("auto", tmp_path)
    frames, masks = tmp_path / "frames", tmp_path / "masks"
    read = [
        f"not used: 1 .txt files in {tmp_path / 'videos'}, such as notes.txt (read are .mp4 ",
        f"not used: 1 .png files in {frames}, such as loose.png (in no folder of a video)",
        f"not used: 2 .gif files in {frames / 'a'}, such as 7.gif (read are .png .jpg .jpeg)",
        f"not used: 1 other files in {masks}, such as README (read are .png .bmp .tif .tiff)",
        f"not used: 1 .npy files in {masks / 'a'}, such as 0.npy (read are .png .bmp .tif .tiff)",
    ]
    in_no_split = f"not used: 3 .png files in {frames / 'c'}, such as 0.png (in no split)"
    found = unused_files(layout)
    assert len(found) == 6 and in_no_split in found
    assert all(any(line.startswith(one) for line in found) for one in read)
    told = unused_messages(layout, {}, {})[:-1]  # the last is about classes
    assert len(told) == 5 and in_no_split not in told


def test_a_whole_set_has_no_unused_files(make, synthetic_root):
    assert unused_files(open_layout("auto", synthetic_root)) == []
    assert unused_files(make(["a", "b"], masked=["b"])) == []
