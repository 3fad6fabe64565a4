import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from weclick.data.index import FrameKey, clips, segments
from weclick.data.layouts import CityscapesLayout, open_layout
from weclick.errors import DataError
from weclick.images import read_image, read_instances, read_label

GREY = np.zeros((4, 6, 3), np.uint8)


def write(path, array=GREY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, array)[1].tobytes())


def snippet(root, split, video, numbers, target, suffix=".png", value=7):
    city = video.split("_")[0]
    for number in numbers:
        name = f"{video}_{number:06d}_leftImg8bit{suffix}"
        write(root / "leftImg8bit_sequence" / split / city / name)
    write(root / "leftImg8bit" / split / city / f"{video}_{target:06d}_leftImg8bit{suffix}")
    mask = root / "gtFine" / split / city / f"{video}_{target:06d}_gtFine_labelIds.png"
    write(mask, np.full((4, 6), value, np.uint8))
    return mask


def test_target_is_found_wherever_it_lies_in_its_snippet(tmp_path):
    snippet(tmp_path, "train", "aachen_000004", range(3, 9), target=7, suffix=".jpg")
    layout = CityscapesLayout(tmp_path)
    frames = layout.frames("train")
    assert [frame.key for frame in frames] == [FrameKey("aachen_000004", n) for n in range(3, 9)]
    assert [frame.key.number for frame in frames if frame.label] == [7]
    assert frames[4].image.parts[-4] == "leftImg8bit"
    assert layout.splits() == ("train",)
    (clip,) = clips(segments(frames), [FrameKey("aachen_000004", 7)], neighbours=3)
    assert clip.offsets == (-1, -2, -3)


def test_snippets_of_one_recording_stay_apart(tmp_path):
    for target in (12, 30):
        snippet(tmp_path, "val", "frankfurt_000000", range(target - 2, target + 2), target)
    found = segments(CityscapesLayout(tmp_path).frames("val"))
    assert [[frame.key.number for frame in s.frames] for s in found] == [[10, 11, 12, 13], [28, 29, 30, 31]]


def test_sequence_alone_serves_the_target_and_a_lone_image_is_unlabelled(tmp_path):
    mask = snippet(tmp_path, "train", "bonn_000000", range(2), target=1)
    (tmp_path / "leftImg8bit/train/bonn/bonn_000000_000001_leftImg8bit.png").unlink()
    write(tmp_path / "leftImg8bit/train/bonn/bonn_000009_000005_leftImg8bit.png")
    frames = CityscapesLayout(tmp_path).frames("train")
    assert [(frame.key.video, frame.label) for frame in frames] == [
        ("bonn_000000", None),
        ("bonn_000000", mask),
        ("bonn_000009", None),
    ]
    assert frames[1].image.parts[-4] == "leftImg8bit_sequence"


def test_instances_are_taken_where_present(tmp_path):
    mask = snippet(tmp_path, "train", "bonn_000000", range(2), target=1)
    instances = mask.with_name(mask.name.replace("labelIds", "instanceIds"))
    write(instances, np.full((4, 6), 26001, np.uint16))
    write(mask.with_name(mask.name.replace("labelIds", "color")))
    assert [frame.instances for frame in CityscapesLayout(tmp_path).frames("train")] == [None, instances]


def test_official_ids_and_colours(tmp_path):
    snippet(tmp_path, "train", "bonn_000000", [1], target=1)
    layout = CityscapesLayout(tmp_path)
    table, names = layout.label_ids(), layout.classes.names
    assert len(table) == 256
    by_name = {
        "road": 7,
        "sky": 23,
        "person": 24,
        "car": 26,
        "train": 31,
        "bicycle": 33,
        "traffic light": 19,
    }
    assert {name: names[table[value]] for name, value in by_name.items()} == {name: name for name in by_name}
    assert [table[value] for value in (0, 3, 6, 9, 14, 18, 29, 30)] == [255] * 8
    assert set(table[34:]) == {-1}
    assert sorted(value for value in table if 0 <= value < 255) == list(range(19))
    assert [c.name for c in layout.classes if c.thing] == list(names[11:])
    assert layout.classes.palette[13].tolist() == [0, 0, 142]


def test_mask_without_image_is_named(tmp_path):
    mask = snippet(tmp_path, "train", "bonn_000000", [0, 1], target=1)
    for folder in ("leftImg8bit", "leftImg8bit_sequence"):
        (tmp_path / folder / "train/bonn/bonn_000000_000001_leftImg8bit.png").unlink()
    with pytest.raises(DataError, match=f"{mask.name} has no image in leftImg8bit or leftImg8bit_sequence/train"):
        CityscapesLayout(tmp_path).frames("train")


def test_public_test_masks_without_a_class_count_as_none(tmp_path):
    snippet(tmp_path, "test", "berlin_000000", range(2), target=1, value=3)
    assert [frame.label for frame in CityscapesLayout(tmp_path).frames("test")] == [None, None]


def test_own_test_masks_are_kept(tmp_path):
    mask = snippet(tmp_path, "test", "berlin_000000", range(2), target=1, value=7)
    assert [frame.label for frame in CityscapesLayout(tmp_path).frames("test")] == [None, mask]


def test_train_ids_instead_of_label_ids_are_refused(tmp_path):
    mask = snippet(tmp_path, "train", "bonn_000000", [1], target=1, value=255)
    layout = CityscapesLayout(tmp_path)
    with pytest.raises(DataError, match=r"unknown label values \[255\]"):
        read_label(mask, layout.label_ids())


def test_folder_without_images_and_odd_names_are_refused(tmp_path):
    with pytest.raises(
        DataError, match="no data set of the cityscapes layout; looked for leftImg8bit/ or leftImg8bit_sequence/"
    ):
        CityscapesLayout(tmp_path / "missing")
    write(tmp_path / "leftImg8bit/train/bonn/photo.png")
    with pytest.raises(DataError, match=r"photo\.png is not named <city>_<sequence>_<frame>_leftImg8bit"):
        CityscapesLayout(tmp_path).frames("train")


def test_unicode_and_spaces_in_the_root(tmp_path):
    root = tmp_path / "stadt ä 京"
    mask = snippet(root, "train", "bonn_000000", [1], target=1)
    (frame,) = CityscapesLayout(root).frames("train")
    assert read_image(frame.image).shape == (4, 6, 3)
    assert read_label(mask, CityscapesLayout(root).label_ids()).tolist() == [[0] * 6] * 4


@pytest.mark.realdata
@pytest.mark.skipif("WECLICK_CITYSCAPES" not in os.environ, reason="WECLICK_CITYSCAPES is not set")
def test_real_cityscapes_opens():
    layout = open_layout("auto", Path(os.environ["WECLICK_CITYSCAPES"]))
    assert layout.name == "cityscapes"
    frames = [frame for split in layout.splits() for frame in layout.frames(split)]
    target = next(frame for frame in frames if frame.label is not None)
    label = read_label(target.label, layout.label_ids())
    assert label.shape == read_image(target.image).shape[:2]
    assert (label == 0).mean() > 0.05, "a street scene shows road"
    if target.instances is not None:
        cars = label == layout.classes.index("car")
        assert (read_instances(target.instances)[cars] >= 1000).mean() > 0.5 or not cars.any()
