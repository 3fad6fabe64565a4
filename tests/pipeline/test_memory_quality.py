"""The memory against the labels, on a scene that moves by one cell a frame and a teacher that errs on the target only."""

import math

import cv2
import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F

from weclick.clicks import Click, ClickStore
from weclick.conventions import FrameKey
from weclick.data.layouts import open_layout
from weclick.errors import ConfigError, DataError, RunError
from weclick.inference.rules import class_ids
from weclick.memory.fuse import Memory
from weclick.memory.options import Fusion
from weclick.memory.stream import Votes
from weclick.pipeline import memory_quality as measuring
from weclick.pipeline.memory_quality import memory_quality, prediction_at, sources
from weclick.pipeline.settings import FitSettings
from weclick.reporting.memory_quality import TEACHER, Source

HEIGHT, WIDTH, BORDER, STEP = 32, 64, 32, 4
TARGET = 2


def image(number, red):
    """BGR; blue is the frame's number, red what the teacher sees: 0.1 + 0.8 * red is its probability of class 1."""
    found = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    found[..., 0], found[..., 2] = 50 * number, red
    return found


def seen(number):
    """The scene as it is: class 1 right of a border that moves right."""
    return 255 * (np.arange(WIDTH) >= BORDER + STEP * (number - TARGET))


class Teacher:
    def __init__(self):
        self.frames = []

    def __call__(self, images):
        self.frames += [round(float(blue.mean()) * 255 / 50) for blue in images[:, 2]]
        one = 0.1 + 0.8 * F.avg_pool2d(images[:, :1], 4)
        return torch.cat([1 - one, one], 1).log()


class Flow:
    """The exact motion."""

    name = "exact"

    def __call__(self, target, neighbour):
        flow = torch.zeros(len(target), 2, HEIGHT, WIDTH)
        numbers = [i[:, 2].float().mean((1, 2)) / 50 for i in (target, neighbour)]
        flow[:, 0] = STEP * (numbers[1] - numbers[0])[:, None, None]
        return flow


@pytest.fixture
def scene(tmp_path):
    """Frames 1 to 3 of one val video, of which frame 2 has a mask, and looks to the teacher like class 0 everywhere."""
    root = tmp_path / "scene"
    for kind in ("frames/b", "masks/b", "frames/a"):
        (root / kind).mkdir(parents=True)
    for number in (1, 2, 3):
        look = 51 if number == TARGET else seen(number)
        cv2.imwrite(str(root / f"frames/b/{number}.png"), image(number, look))
        cv2.imwrite(str(root / f"frames/a/{number}.png"), image(number, 0))
    mask(root, TARGET)
    (root / "classes.yaml").write_text("[ground, car]\n", encoding="utf-8")
    (root / "splits.yaml").write_text(yaml.safe_dump({"train": ["a"], "val": ["b"]}), encoding="utf-8")
    return root


def mask(root, number):
    label = np.broadcast_to(seen(number) > 0, (HEIGHT, WIDTH)).astype(np.uint8)
    cv2.imwrite(str(root / f"masks/b/{number}.png"), label)


@pytest.fixture
def measure(settings, run, scene, monkeypatch):
    """Measure on the scene with the exact motion; options are of the data, ``fusion`` and ``frames`` apart."""
    teacher, opened = Teacher(), run()
    monkeypatch.setattr(measuring, "open_teacher", lambda *_: teacher)
    monkeypatch.setattr(measuring, "teacher_checkpoint", lambda *_: "a teacher")
    monkeypatch.setattr(FitSettings, "make_flow", lambda *_: Flow())

    def call(split="val", frames=None, fusion=None, connected=False, **data):
        options = {"root": str(scene), "size": [HEIGHT, WIDTH], "neighbours": 2, "sides": "both"}
        chosen = settings(data={**options, **data}, memory={"fusion": fusion or Fusion(), "connected": connected})
        return memory_quality(chosen, opened, split, frames)

    call.teacher, call.clicks = teacher, opened.clicks
    return call


def test_measurements_with_other_settings_have_other_names(measure):
    others = [{}, {"neighbours": 1}, {"sides": "past"}, {"size": [HEIGHT, 2 * WIDTH]}, {"fusion": Fusion(own=2.0)}]
    names = [measure(**options).name for options in others]
    assert len(set(names)) == len(others)
    assert names[0] == measure().name
    assert [name.rpartition("-")[0] for name in names[:3]] == ["val-2-both", "val-1-both", "val-2-past"]


def test_the_memory_is_right_where_the_teacher_is_wrong(measure):
    found = measure().figures
    assert [str(source) for source in found] == [
        "teacher",
        "neighbour at -1",
        "neighbour at +1",
        "memory, 1 neighbour",
        "memory, 2 neighbours",
        "memory + own, 1 neighbour",
        "memory + own, 2 neighbours",
    ]
    alone = found[TEACHER]
    assert (alone.miou, alone.filled_miou, alone.coverage) == (0.25, 0.25, 1)  # half of class 0, nothing of class 1
    assert alone.ece == pytest.approx(0.74 - 0.5, abs=1e-3)  # sure to 0.74, right on one half
    assert math.isnan(alone.distance)
    for source, figures in found.items():
        assert source.kind not in ("memory", "neighbour") or figures.miou == 1
        assert source.kind != "memory" or figures.filled_miou == 1
    # the own vote, wrong, moves the border between two cells by one pixel: 0.15 + 0.53 * 5 / 8 < 1/2
    assert found[Source("memory + own", 2)].miou == pytest.approx((32 / 33 + 31 / 32) / 2)
    assert {figures.frames for figures in found.values()} == {1}
    assert {figures.distance for source, figures in found.items() if source != TEACHER} == {1}


def test_a_single_neighbour_by_hand(measure):
    found = measure().figures[Source("neighbour", -1)]
    # of 64 columns the first 4 were not in the picture yet; on the others the teacher is right on 28 of 60
    assert found.coverage == 60 / 64
    assert found.teacher_miou == pytest.approx(28 / 60 / 2)
    assert found.teacher_ece == pytest.approx(0.74 - 28 / 60, abs=1e-3)
    # always right, at 0.9 but for four columns between the two cells at the border: 0.8, 0.6, 0.6, 0.8
    assert found.ece == pytest.approx(1 - (56 * 0.9 + 2 * (0.8 + 0.6)) / 60, abs=1e-3)
    assert found.filled_miou == 1  # the teacher happens to be right on the first 4 columns


def test_the_teacher_fills_what_a_source_does_not_predict(measure):
    found = measure().figures[Source("neighbour", 1)]
    # the last 4 columns have left the picture; there the teacher takes class 1 for class 0
    assert found.coverage == 60 / 64
    assert found.miou == 1
    assert found.filled_miou == pytest.approx((32 / 36 + 28 / 32) / 2)


def test_fusions_that_are_neither_plain_nor_with_one_own_vote_have_a_row(measure):
    quality = measure(fusion=Fusion(own=5))
    found = quality.figures
    assert "memory as set: own 5, certainty 0, decay 0" in quality.facts
    # (5 * 0.26 + 2 * 0.9) / 7 < 1/2: outvoted by the target's own error
    assert found[Source("memory as set", 2)].miou == 0.25
    for fusion in (Fusion(), Fusion(own=1)):
        assert not [source for source in measure(fusion=fusion).figures if source.kind == "memory as set"]


def test_what_is_stored_of_clicked_frames_has_rows(measure, scene):
    (scene / "splits.yaml").write_text(yaml.safe_dump({"train": ["b"], "val": ["a"]}), encoding="utf-8")
    (scene / f"masks/b/{TARGET}.png").unlink()
    mask(scene, TARGET + 1)
    with ClickStore.create(measure.clicks, open_layout("auto", scene).classes) as store:
        store.add(FrameKey("b", TARGET + 1), [Click(5, 5, 0)], status="done")
    found = measure(split="train", connected=True).figures
    assert found[TEACHER].miou == 1
    # only class 0 was clicked, so the stored labels hold nothing else: right on the 36 of 64 columns that are of class 0
    assert found[Source("stored teacher")].miou == pytest.approx(36 / 64 / 2)
    assert found[Source("stored memory")].miou < 0.5
    assert Source("stored teacher") not in measure(split="train").figures


def test_the_teacher_sees_each_frame_once(measure):
    measure(neighbours=2, fusion=Fusion(own=5))
    assert sorted(measure.teacher.frames) == [1, 2, 3]


def test_only_the_masks_of_targets_are_read(measure, scene):
    for number in (1, 3):
        (scene / f"masks/b/{number}.png").write_bytes(b"no picture")
    found = measure(frames=1).figures
    assert found[TEACHER].frames == 1
    assert [source.number for source in found if source.kind == "neighbour"] == [-1, 1]
    with pytest.raises(DataError, match=r"1\.png"):
        measure()


def test_offsets_are_differences_of_frame_numbers_and_frames_count_them(measure, scene):
    mask(scene, 1)
    found = {source.number: f for source, f in measure().figures.items() if source.kind == "neighbour"}
    assert {offset: figures.frames for offset, figures in found.items()} == {-1: 1, 1: 2, 2: 1}
    assert found[2].coverage == pytest.approx((WIDTH - 2 * STEP) / WIDTH / 2)


def test_a_target_without_neighbours_lowers_the_coverage(measure, scene):
    mask(scene, 1)
    found = measure(sides="past", neighbours=1).figures[Source("memory", 1)]
    assert found.frames == 2
    assert found.coverage == pytest.approx(60 / 64 / 2)


def test_a_damaged_neighbour_has_no_vote_and_a_damaged_target_is_refused(measure, scene):
    (scene / "frames/b/1.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"damaged neighbour left out: .*b/1\.png"):
        found = measure().figures
    assert Source("neighbour", -1) not in found and Source("neighbour", 1) in found
    assert found[Source("memory", 1)].coverage == 0
    assert math.isnan(found[Source("memory", 1)].miou) and found[Source("memory", 1)].filled_miou == 0.25
    (scene / "frames/b/2.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"2\.png"):
        measure()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"neighbours": 0}, ConfigError, "data.clips.neighbours is 0"),
        ({"frames": 0}, ConfigError, "--max_frames must be at least 1, found 0"),
        ({"split": "train"}, DataError, "the train split of .* has no masks"),
        ({"split": "test"}, DataError, "the test split of .* has no masks"),
        ({"stride": 9}, DataError, "none of 1 labelled frames in the val split of .* has a neighbour"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure, options, error, words):
    with pytest.raises(error, match=words):
        measure(**options)


def test_masks_without_any_class_are_refused(measure, scene):
    cv2.imwrite(str(scene / f"masks/b/{TARGET}.png"), np.full((HEIGHT, WIDTH), 255, np.uint8))
    with pytest.raises(DataError, match="no pixel of any class"):
        measure()


def test_a_run_without_a_teacher_is_refused(settings, run, scene):
    with pytest.raises(RunError, match=r"no teacher at .*--stage teacher"):
        memory_quality(settings(data={"root": str(scene), "size": [HEIGHT, WIDTH]}), run(), "val")


def test_predictions_are_those_of_class_ids_and_valid_where_their_cells_are():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn(1, 3, 4, 6, generator=generator).softmax(1)
    full = prediction_at(Memory(probabilities, torch.ones(1, 1, 4, 6)), (9, 13))
    assert torch.equal(full.labels, class_ids(probabilities, (9, 13)).long())
    enlarged = F.interpolate(probabilities, (9, 13), mode="bilinear", align_corners=False)
    torch.testing.assert_close(full.probability, enlarged.amax(1))
    assert full.valid.all()


def test_invalid_cells_neither_predict_nor_make_others_unsure():
    known = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    found = prediction_at(Memory(torch.tensor([0.9, 0.1]).view(1, 2, 1, 1) * known, known), (1, 8))
    assert found.valid.flatten().tolist() == [True] * 4 + [False] * 4
    torch.testing.assert_close(found.probability[found.valid], torch.full((4,), 0.9))


def test_fused_neighbours_are_the_first_ones():
    warped = torch.rand(1, 3, 2, 2, 2).softmax(2)
    votes = Votes(torch.full((1, 2, 2, 2), 0.5), warped, torch.ones(1, 3, 1, 2, 2).bool(), torch.tensor([[-1, 1, -2]]))
    found = {source: (used.offsets[0].tolist(), memory) for source, used, memory in sources(votes, Fusion())}
    assert found[Source("memory", 2)][0] == [-1, 1]
    torch.testing.assert_close(found[Source("memory", 2)][1].probabilities, warped[:, :2].mean(1))
    with_own = (warped[:, :2].sum(1) + 0.5) / 3
    torch.testing.assert_close(found[Source("memory + own", 2)][1].probabilities, with_own)
    torch.testing.assert_close(found[Source("neighbour", -2)][1].probabilities, warped[:, 2])
    torch.testing.assert_close(found[TEACHER][1].probabilities, votes.own)
