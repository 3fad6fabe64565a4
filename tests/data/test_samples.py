import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from weclick.clicks import Click
from weclick.conventions import IGNORE_INDEX
from weclick.data.draws import GeometricDraw
from weclick.data.index import Clip, Frame, FrameKey
from weclick.data.reader import FrameReader
from weclick.data.sampler import SampleKey
from weclick.data.samples import (
    TRIES,
    ClipFrames,
    EvaluationFrames,
    TrainingSamples,
    scaled_clicks,
)
from weclick.data.supplies import OnlineMemory
from weclick.data.supply import Supply
from weclick.data.targets import TargetClicks
from weclick.errors import DataError

SIZE = (32, 64)
STILL = GeometricDraw(SIZE, (1.0, 1.0), 0.0)


def frame(folder, number, shade=None, size=SIZE, label=None):
    path = folder / f"{number}.png"
    cv2.imwrite(str(path), np.full((*size, 3), number if shade is None else shade, np.uint8))
    label_path = None
    if label is not None:
        label_path = folder / f"{number}-label.png"
        cv2.imwrite(str(label_path), label)
    return Frame(FrameKey("v", number), path, label_path)


def samples(clips, clicks=None, size=SIZE, *, masks=False, sizes=None, incomplete=frozenset(), **options):
    clicks = {clip.target.key: [Click(3.0, 2.0, 1)] for clip in clips} if clicks is None else clicks
    targets = None if masks else TargetClicks(clicks, incomplete=incomplete, sizes=sizes or {})
    return TrainingSamples(clips, targets, FrameReader(size), STILL, **{"num_classes": 3, **options})


def read(clip, neighbours):
    """Return the entries of a clip that an online memory reads."""
    return OnlineMemory(None, None, FrameReader(SIZE), neighbours).read(clip, SIZE)


@pytest.fixture
def clips(tmp_path):
    return [Clip(frame(tmp_path, number)) for number in range(10, 16)]


def damage(clip, content=b""):
    clip.target.image.write_bytes(content)


def test_a_sample_is_image_labels_and_no_damage(clips):
    sample = samples(clips, radius=0.0)[SampleKey(2, seed=0)]
    assert sample["image"].shape == (3, *SIZE)
    assert sample["image"].dtype == torch.uint8
    assert sample["image"].unique().tolist() == [12]
    assert (sample["labels"] != IGNORE_INDEX).nonzero().tolist() == [[2, 3]]
    assert sample["labels"][2, 3] == 1
    assert sample["damaged"] == ""
    assert sample["present"].tolist() == [False, True, False]
    assert sample.keys() == {"frame", "image", "labels", "present", "grid", "seed", "damaged"}


def test_clicks_are_scaled_with_the_frame(tmp_path):
    clip = Clip(frame(tmp_path, 7, size=(64, 128)))
    sample = samples([clip], {clip.target.key: [Click(100.0, 40.0, 2)]}, radius=0.0)[SampleKey(0, 0)]
    assert (sample["labels"] != IGNORE_INDEX).nonzero().tolist() == [[20, 50]]


def test_a_frame_of_another_size_than_was_clicked_is_damaged(clips):
    sizes = {clip.target.key: SIZE for clip in clips} | {clips[1].target.key: (64, 128)}
    sample = samples(clips, sizes=sizes)[SampleKey(1, 0)]
    assert sample["image"].unique().tolist() == [12]
    assert "11.png is 64x32 but its clicks were made on 128x64" in sample["damaged"]
    assert samples(clips, sizes=sizes)[SampleKey(0, 0)]["damaged"] == ""


def test_a_frame_with_a_click_outside_of_it_is_damaged(clips):
    clicks = {clip.target.key: [Click(3.0, 2.0, 1)] for clip in clips} | {clips[1].target.key: [Click(5000.0, 5.0, 1)]}
    sample = samples(clips, clicks)[SampleKey(1, 0)]
    assert sample["image"].unique().tolist() == [12]
    assert "11.png is 64x32 but a click lies outside of it, at (5000, 5)" in sample["damaged"]
    assert samples(clips, clicks)[SampleKey(0, 0)]["damaged"] == ""


def test_a_target_without_clicks_has_no_labels(clips):
    sample = samples(clips, {})[SampleKey(0, 0)]
    assert (sample["labels"] == IGNORE_INDEX).all()


def test_on_an_incomplete_target_no_class_counts_as_absent(clips):
    drawn = [samples(clips, incomplete={clips[1].target.key})[SampleKey(position, 0)] for position in range(3)]
    assert [sample["present"].any().item() for sample in drawn] == [True, False, True]
    assert all((sample["labels"] == 1).any() for sample in drawn)


def test_full_supervision_reads_the_mask_of_the_target(tmp_path):
    label = np.zeros(SIZE, np.uint8)
    label[:, 32:], label[0] = 1, IGNORE_INDEX
    clip = Clip(frame(tmp_path, 1, label=label))
    sample = samples([clip], masks=True)[SampleKey(0, 0)]
    assert np.array_equal(sample["labels"].numpy(), label)


def test_full_supervision_keeps_ids_when_it_resizes(tmp_path):
    label = np.random.default_rng(0).choice([0, 1, 2, 255], (64, 128)).astype(np.uint8)
    clip = Clip(frame(tmp_path, 1, size=(64, 128), label=label))
    labels = samples([clip], masks=True)[SampleKey(0, 0)]["labels"]
    assert labels.shape == SIZE
    assert set(labels.unique().tolist()) <= {0, 1, 2, 255}


def test_a_shrunk_mask_takes_the_pixel_in_the_middle(tmp_path):
    size = (3 * SIZE[0], 3 * SIZE[1])
    label = np.zeros(size, np.uint8)
    label[1::3, 1::3] = 1  # the middle of what each shrunk pixel covers
    clip = Clip(frame(tmp_path, 1, size=size, label=label))
    assert (samples([clip], masks=True)[SampleKey(0, 0)]["labels"] == 1).all()


def test_a_damaged_frame_is_replaced_and_named(clips):
    damage(clips[1])
    sample = samples(clips)[SampleKey(1, 0)]
    assert sample["image"].unique().tolist() == [12]
    assert str(clips[1].target.image) in sample["damaged"]
    assert "\n" not in sample["damaged"]


def test_every_damaged_frame_before_a_replacement_is_named(clips):
    damage(clips[1])
    damage(clips[2])
    first, second = samples(clips)[SampleKey(1, 0)]["damaged"].splitlines()
    assert "11.png is empty" in first
    assert "12.png is empty" in second


def test_supplies_read_the_clip_of_the_replacement(clips):
    damage(clips[5])
    supply = Supply()
    supply.read = lambda clip, size: {"number": clip.target.key.number}
    sample = samples(clips, supplies=[supply])[SampleKey(5, 0)]
    assert sample["number"] == 10
    assert "grid" in sample


def test_too_many_damaged_frames_in_a_row_stop_with_the_first(clips):
    for clip in clips:
        damage(clip, b"nonsense")
    with pytest.raises(DataError, match=f"{TRIES + 1} damaged frames in a row") as refusal:
        samples(clips)[SampleKey(3, 0)]
    assert str(clips[3].target.image) in str(refusal.value)


COORDINATES = st.floats(-0.5, 99.4)


@settings(deadline=None)
@given(COORDINATES, COORDINATES, st.floats(0.1, 4), st.floats(0.1, 4))
def test_scaled_clicks_stay_at_the_same_place_of_the_image(x, y, scale_x, scale_y):
    ((new_x, new_y, class_id),) = scaled_clicks([Click(x, y, 3)], scale_x, scale_y).tolist()
    assert class_id == 3
    assert (new_x + 0.5) / scale_x == pytest.approx(x + 0.5, abs=1e-3)
    assert (new_y + 0.5) / scale_y == pytest.approx(y + 0.5, abs=1e-3)


def test_no_clicks_are_scaled_to_an_empty_array():
    assert scaled_clicks([], 2.0, 2.0).shape == (0, 3)


def test_missing_and_damaged_neighbours_are_padding(tmp_path):
    before, two_before = frame(tmp_path, 9), frame(tmp_path, 8)
    clip = Clip(frame(tmp_path, 10), (before, two_before))
    assert read(clip, 3)["offsets"].tolist() == [-1, -2, 0]
    assert read(clip, 3)["damaged"] == ""
    before.image.write_bytes(b"")
    two_before.image.unlink()
    raw = read(clip, 3)
    assert raw["offsets"].tolist() == [0, 0, 0]
    assert [line.split(" ")[0] for line in raw["damaged"].splitlines()] == [str(f.image) for f in clip.neighbours]
    assert not raw["neighbours"].any()
    assert raw["target"].unique().tolist() == [10]


def test_neighbours_keep_their_place_and_number(tmp_path):
    clip = Clip(frame(tmp_path, 10), (frame(tmp_path, 9), frame(tmp_path, 8)))
    clip.neighbours[0].image.write_bytes(b"")
    raw = read(clip, 2)
    assert raw["offsets"].tolist() == [0, -2]
    assert raw["neighbours"][1].unique().tolist() == [8]


def test_a_damaged_target_is_refused(tmp_path):
    clip = Clip(frame(tmp_path, 10))
    clip.target.image.write_bytes(b"")
    with pytest.raises(DataError, match=r"10\.png"):
        read(clip, 1)


def test_a_frame_of_several_clips_appears_once_with_the_first(tmp_path):
    frames = {number: frame(tmp_path, number) for number in (8, 9, 10, 11)}
    clips = [Clip(frames[10], (frames[9], frames[8])), Clip(frames[11], (frames[10], frames[9]))]
    dataset = ClipFrames(clips, FrameReader(SIZE))
    assert [dataset[i]["key"].number for i in range(len(dataset))] == [10, 9, 8, 11]
    assert [dataset[i]["image"].unique().tolist() for i in range(len(dataset))] == [[10], [9], [8], [11]]


def test_a_damaged_frame_has_a_message_instead_of_an_image(clips):
    damage(clips[4])
    sample = ClipFrames(clips, FrameReader(SIZE))[4]
    assert sample["key"] == FrameKey("v", 14)
    assert "14.png is empty" in sample["damaged"]
    assert "image" not in sample


def test_evaluation_labels_stay_at_their_own_size(tmp_path):
    label = np.random.default_rng(0).integers(0, 3, (64, 128), np.uint8)
    entry = frame(tmp_path, 1, size=(64, 128), label=label)
    sample = EvaluationFrames([entry], FrameReader(SIZE))[0]
    assert sample["image"].shape == (3, *SIZE)
    assert np.array_equal(sample["label"].numpy(), label)
    assert sample["key"] == entry.key


def test_a_label_of_another_size_than_its_image_is_refused(tmp_path):
    entry = frame(tmp_path, 1, label=np.zeros((16, 16), np.uint8))
    with pytest.raises(DataError, match="16x16"):
        EvaluationFrames([entry], FrameReader(SIZE))[0]


def test_a_frame_without_mask_has_no_label(tmp_path):
    with pytest.raises(DataError, match="has no mask"):
        FrameReader(SIZE).label(frame(tmp_path, 1))


def test_labels_are_translated_by_the_layouts_table(tmp_path):
    table = np.full(256, -1, np.int16)
    table[[7, 8]] = 0, IGNORE_INDEX
    entry = frame(tmp_path, 1, label=np.full(SIZE, 7, np.uint8))
    assert FrameReader(SIZE, table).label(entry).max() == 0
    other = dataclasses.replace(entry, label=Path(entry.label).with_name("other.png"))
    cv2.imwrite(str(other.label), np.full(SIZE, 9, np.uint8))
    with pytest.raises(DataError, match="9"):
        FrameReader(SIZE, table).label(other)


class OwnThreads(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return cv2.getNumThreads()


@pytest.mark.parametrize("workers", [0, 1])
def test_trap_22_opencv_starts_no_threads_of_its_own_beside_the_workers(workers):
    assert [int(count) for count in DataLoader(OwnThreads(), num_workers=workers)] == [1]
