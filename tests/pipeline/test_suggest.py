"""Frames are suggested by the predictions of a synthetic student on synthetic frames."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from weclick.clicks import Click, ClickStore
from weclick.conventions import FrameKey
from weclick.data.dataset import DataSet
from weclick.errors import ConfigError
from weclick.inference.torch_model import TorchModel
from weclick.pipeline.suggest import Suggestion, choose, suggest

SIZE = (32, 64)


class Brightness(torch.nn.Module):
    """Predicts class 1 where a picture is bright; the nearer to grey, the less sure."""

    def forward(self, images):
        bright = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 4)
        return torch.cat([-(bright - 0.5), bright - 0.5], 1) * 40


@pytest.fixture
def data(tmp_path):
    """One video of black frames, but for one grey frame (4) and one that is white to its right (7)."""
    folder = tmp_path / "frames" / "a"
    folder.mkdir(parents=True)
    for number in range(10):
        image = np.zeros((*SIZE, 3), np.uint8)
        if number == 4:
            image[:] = 128
        if number == 7:
            image[:, 32:] = 255
        cv2.imwrite(str(folder / f"{number}.png"), image)
    (tmp_path / "classes.yaml").write_text("[dark, light]\n", encoding="utf-8")
    (tmp_path / "splits.yaml").write_text("{train: [a]}\n", encoding="utf-8")
    return DataSet.open(tmp_path)


@pytest.fixture
def store(data):
    with ClickStore.create(data.root / "clicks.sqlite", data.classes) as made:
        yield made


def key(number, video="a"):
    return FrameKey(video, number)


def suggested(data, store=None, **options):
    student = TorchModel(Brightness(), data.classes, "student", SIZE, device="cpu")
    suggestions = suggest(student, data, "train", store, **{"count": 10, **options})
    return {suggestion.key.number: suggestion for suggestion in suggestions}


def test_the_frame_the_student_is_least_sure_of_comes_first(data):
    suggestions = suggested(data)
    assert next(iter(suggestions)) == 4
    assert suggestions[4].unsure > 0.8
    assert suggestions[0].unsure < 0.1


def test_labels_that_change_from_one_frame_to_the_next_count(data):
    suggestions = suggested(data)
    assert suggestions[0].unsteady == 0
    assert math.isnan(suggestions[9].unsteady)  # nothing follows


def test_clicks_the_student_contradicts_speak_for_frames_around(data, store):
    store.add(key(1), [Click(5, 5, 1), Click(50, 5, 0)], size=SIZE)  # dark there: half of them contradicted
    store.add(key(8), [Click(5, 5, 0)], size=SIZE)
    suggestions = suggested(data, store)
    assert suggestions[0].contradicted == suggestions[2].contradicted == 0.5
    assert suggestions[9].contradicted == 0


def test_frames_that_are_done_or_skipped_or_carry_clicks_are_left_out(data, store):
    store.add(key(4), [], status="skipped")
    store.add(key(5), [], status="done")
    store.add(key(6), [Click(5, 5, 0)], status="todo")
    store.add(key(3), [], status="todo")
    assert suggested(data, store).keys() == {0, 1, 2, 3, 7, 8, 9}


def test_damaged_frames_are_left_out_with_a_warning(data, store):
    store.add(key(8), [Click(5, 5, 0)], size=SIZE)
    for number in (4, 8):
        (data.root / "frames" / "a" / f"{number}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged frame left out") as warned:
        suggestions = suggested(data, store)
    assert [Path(str(one.message).split()[4]).name for one in warned] == ["8.png", "4.png"]
    assert suggestions.keys() == {0, 1, 2, 3, 5, 6, 7, 9}
    assert math.isnan(suggestions[3].unsteady) and math.isnan(suggestions[9].contradicted)


def test_only_so_many_are_looked_at_and_returned(data):
    seen = []
    suggestions = suggested(data, count=2, most=5, progress=lambda done, total: seen.append((done, total)))
    assert len(suggestions) == 2
    assert seen == [(done, 5) for done in range(1, 6)]


def test_there_is_nothing_to_suggest_when_all_is_clicked(data, store):
    for number in range(10):
        store.add(key(number), [Click(5, 5, 0)])
    assert not suggested(data, store)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"most": 0}])
def test_numbers_must_be_positive(data, wrong):
    with pytest.raises(ConfigError, match="at least 1"):
        suggested(data, **wrong)


def test_a_frame_beside_a_chosen_one_waits_for_one_farther_away():
    suggestions = [Suggestion(key(number), unsure) for number, unsure in [(0, 0.1), (50, 0.9), (51, 0.8), (100, 0.5)]]
    assert [chosen.key.number for chosen in choose(suggestions, [], 2)] == [50, 100]


def test_a_frame_beside_a_clicked_one_waits_too_and_another_video_is_far_away():
    suggestions = [Suggestion(key(9), 0.9), Suggestion(key(200), 0.3), Suggestion(key(9, "b"), 0.2)]
    assert [chosen.key for chosen in choose(suggestions, [key(10)], 3)] == [key(200), key(9, "b"), key(9)]


def test_the_score_leaves_out_what_cannot_be_told():
    assert Suggestion(key(0), 0.25, math.nan, 0.5).score == 0.75
