import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.data.datamodule import ClipDataModule
from weclick.data.index import FrameKey, segments
from weclick.data.layouts import CamVidLayout, open_layout
from weclick.errors import DataError
from weclick.images import read_image, read_label

PNG = cv2.imencode(".png", np.zeros((4, 6), np.uint8))[1].tobytes()


def add(root, split, *stems, suffix=".png", labelled=True):
    for folder, end in ((split, suffix), (f"{split}annot", ".png")):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for stem in stems if labelled or folder == split else ():
            (root / folder / f"{stem}{end}").write_bytes(PNG)


def extra(root, video, *numbers):
    (root / "frames" / video).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (root / "frames" / video / f"{number:06d}.jpg").write_bytes(PNG)


def numbers(layout, split, video):
    return [frame.key.number for frame in layout.frames(split) if frame.key.video == video]


def test_video_and_number_come_from_the_file_name(tmp_path):
    add(tmp_path, "train", "0001TP_006690", "0006R0_f00930", suffix=".jpg")
    add(tmp_path, "test", "Seq05VD_f00000")
    layout = CamVidLayout(tmp_path)
    assert [frame.key for frame in layout.frames("train")] == [FrameKey("0001TP", 6690), FrameKey("0006R0", 930)]
    assert [frame.key for frame in layout.frames("test")] == [FrameKey("Seq05VD", 0)]
    assert layout.splits() == ("train", "test")
    assert layout.frames("train")[0].label == tmp_path / "trainannot/0001TP_006690.png"


def test_ids_classes_and_void(tmp_path):
    add(tmp_path, "train", "a_1")
    layout = CamVidLayout(tmp_path)
    table = layout.label_ids()
    assert list(table[:13]) == [*range(11), 255, -1]
    assert (len(table), table[254], table[255]) == (256, -1, 255)
    names = "sky building pole road pavement tree sign fence car pedestrian bicyclist"
    assert " ".join(layout.classes.names) == names
    assert [c.name for c in layout.classes if c.thing] == ["car", "pedestrian", "bicyclist"]


def test_image_without_mask_is_unlabelled_and_mask_without_image_refused(tmp_path):
    add(tmp_path, "train", "a_1", "a_2")
    (tmp_path / "trainannot/a_2.png").unlink()
    assert [frame.label is None for frame in CamVidLayout(tmp_path).frames("train")] == [False, True]
    (tmp_path / "train/a_1.png").unlink()
    with pytest.raises(DataError, match=r"trainannot/a_1\.png has no image"):
        CamVidLayout(tmp_path).frames("train")


def test_extra_frames_never_lie_at_a_cut_between_splits(tmp_path):
    add(tmp_path, "train", "0016E5_07890", "0016E5_07920", "0016E5_08190", "0001TP_008520")
    add(tmp_path, "val", "0016E5_07959", "0016E5_07961", "0016E5_08159")
    add(tmp_path, "test", "0001TP_008550")
    extra(tmp_path, "0016E5", 7880, 7900, 7920, 7921, 7940, 7958, 7960, 8000, 8160, 8189, 8191)
    extra(tmp_path, "0001TP", 8519, 8521, 8549, 8551)
    extra(tmp_path, "other", 1)
    layout = CamVidLayout(tmp_path)
    assert numbers(layout, "train", "0016E5") == [7880, 7890, 7900, 7920, 8190, 8191]
    assert numbers(layout, "val", "0016E5") == [7959, 7960, 7961, 8000, 8159]
    assert numbers(layout, "train", "0001TP") == [8519, 8520]
    assert numbers(layout, "test", "0001TP") == [8550, 8551]
    assert not any(numbers(layout, split, "other") for split in ("train", "val", "test"))
    still = next(frame for frame in layout.frames("train") if frame.key.number == 7920)
    assert still.label is not None, "a still is not replaced by its extra frame"
    assert still.image.parent.name == "train"


def test_dense_extra_frames_make_dense_segments(tmp_path):
    add(tmp_path, "train", "v_30", "v_60")
    extra(tmp_path, "v", *range(25, 36), *range(55, 66))
    found = segments(CamVidLayout(tmp_path).frames("train"))
    assert [(s.frames[0].key.number, s.frames[-1].key.number, s.step) for s in found] == [(25, 35, 1), (55, 65, 1)]


@settings(deadline=None, max_examples=25)
@given(
    owners=st.dictionaries(st.integers(0, 40), st.sampled_from(["train", "val", "test"]), min_size=1),
    extras=st.sets(st.integers(0, 40)),
)
def test_no_segment_of_a_split_reaches_over_a_frame_of_another(tmp_path_factory, owners, extras):
    root = tmp_path_factory.mktemp("camvid")
    for number, split in owners.items():
        add(root, split, f"v_{number}")
    extra(root, "v", *extras)
    data = ClipDataModule({"root": str(root), "layout": "camvid"})
    layout = data.dataset.layout
    for split in layout.splits():
        foreign = {frame.key.number for other in layout.splits() if other != split for frame in layout.frames(other)}
        for segment in data.dataset.segments(split):
            assert not foreign & set(range(segment.frames[0].key.number, segment.frames[-1].key.number + 1))
    assert sum(frame.label is not None for split in layout.splits() for frame in layout.frames(split)) == len(owners)


def test_a_frame_in_two_splits_and_odd_names_are_refused(tmp_path):
    add(tmp_path, "train", "a_1")
    add(tmp_path, "val", "a_01")
    with pytest.raises(DataError, match=r"a_01\.png is also a frame of train"):
        CamVidLayout(tmp_path).splits()
    (tmp_path / "val/a_01.png").rename(tmp_path / "val/photo.png")
    (tmp_path / "valannot/a_01.png").unlink()
    with pytest.raises(DataError, match=r"photo\.png is not named <video>_<number>"):
        CamVidLayout(tmp_path).splits()


def test_missing_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match="train/ with trainannot/"):
        CamVidLayout(tmp_path)


@pytest.mark.realdata
@pytest.mark.skipif("WECLICK_CAMVID" not in os.environ, reason="WECLICK_CAMVID is not set")
def test_real_camvid_has_the_known_segments():
    layout = open_layout("auto", Path(os.environ["WECLICK_CAMVID"]))
    assert layout.name == "camvid"
    train, val = segments(layout.frames("train")), segments(layout.frames("val"))
    ends = {(s.frames[0].key.number, s.frames[-1].key.number) for s in train if s.frames[0].key.video == "0016E5"}
    assert (4350, 7920) in ends
    assert (8190, 8640) in ends
    assert [(s.step, len(s.frames)) for s in val] == [(2, 101)]
    frame = val[0].frames[50]
    assert read_label(frame.label, layout.label_ids()).shape == read_image(frame.image).shape[:2]
