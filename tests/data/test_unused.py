import cv2
import numpy as np
import pytest
import yaml

from weclick.classes import ClassSet
from weclick.clicks import Click
from weclick.data.index import FrameKey
from weclick.data.layouts import open_layout
from weclick.data.unused import unused_classes, unused_clicks, unused_validation


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


def test_the_line_to_write_makes_every_video_train(make, tmp_path):
    layout = make(["001", "b: c", "Weg ü"], frames=1)
    message = unused_validation(layout)
    assert "only with masks: b: c; to train" in message and "\n" not in message
    written = message.partition(f"{tmp_path / 'splits.yaml'}: ")[2]
    (tmp_path / "splits.yaml").write_text(written, encoding="utf-8")
    assert yaml.safe_load(written) == {"train": ["001", "Weg ü", "b: c"]}
    layout = open_layout("auto", tmp_path)
    assert layout.splits() == ("train",) and len(layout.frames("train")) == 3
    assert unused_validation(layout) is None


def test_of_a_single_video_the_end_is_kept_for_validation(make):
    assert "only with masks: drive after frame 7; to train from all" in unused_validation(make(["drive"]))


def test_val_with_masks_gets_no_message(make):
    assert unused_validation(make(["a", "b"], masked=["b"])) is None


def test_other_layouts_have_splits_of_their_own(synthetic_root):
    assert unused_validation(open_layout("auto", synthetic_root)) is None


def test_of_many_videos_the_first_are_named(make):
    message = unused_validation(make([f"v{number:03d}" for number in range(110)], frames=1))
    assert "v099 and 2 more; to train" in message
    assert message.endswith("v019, ...]")


def test_clicks_are_counted_where_nothing_is_trained_from_them(make):
    layout, click = make(["a", "b"]), Click(1, 1, 0)
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
