"""Clicks that a run holds out, and what is measured with them."""

import json
import math

import cv2
import numpy as np
import pytest
import torch

from weclick.clicks import Click, ClickStore, copy_store
from weclick.clicks.records import AcceptedLabel
from weclick.conventions import FrameKey
from weclick.data.dataset import DataSet
from weclick.errors import DataError, RunError
from weclick.pipeline import evaluate as evaluating
from weclick.pipeline.accepted import accepted_supply
from weclick.pipeline.clicks import report_newer_clicks, take_clicks
from weclick.pipeline.evaluate import Chosen, evaluate
from weclick.pipeline.grow import _targets as growing_targets
from weclick.pipeline.held_out import measurable, refuse_other_checkpoint
from weclick.pipeline.inputs import data_facts, run_data
from weclick.pipeline.scoring import score

SIZE = (32, 64)
LAST = [FrameKey("a", 18), FrameKey("a", 19)]


@pytest.fixture
def root(tmp_path):
    """One video of 20 frames without masks, two clicks on each: road on the left, car on the right."""
    folder = tmp_path / "own" / "frames" / "a"
    folder.mkdir(parents=True)
    for number in range(20):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((*SIZE, 3), 10 * number, np.uint8))
    root = tmp_path / "own"
    (root / "classes.yaml").write_text("[road, car, sky]", encoding="utf-8")
    with ClickStore.create(root / "clicks.sqlite", DataSet.open(root).classes) as store:
        for number in range(20):
            store.add(FrameKey("a", number), [Click(10.0, 5.0, 0), Click(40.0, 20.0, 1)], size=SIZE)
    return root


@pytest.fixture
def make(settings, root):
    """Settings of ``root``."""
    return lambda **data: settings(data={"root": str(root), "size": SIZE, "crop": SIZE, **data})


def targets(data):
    return {clip.target.key for clip in data.clips}


def test_promise_12_held_out_clicks_are_in_no_training_label_memory_target_grown_or_accepted_label(make, root, run):
    cv2.imwrite(str(root / "frames" / "a" / "20.png"), np.zeros((*SIZE, 3), np.uint8))
    with ClickStore(root / "clicks.sqlite", DataSet.open(root).classes) as store:
        for number in (3, 18, 20):  # the last one is accepted without a click
            store.accept(
                FrameKey("a", number), AcceptedLabel(np.zeros(SIZE, np.uint8), np.full((8, 16), 255, np.uint8))
            )
    held_out, settings = {*LAST, FrameKey("a", 20)}, make(neighbours=4, sides="both", unlabelled=0.5)
    data = run_data(settings, run())
    assert set(data.clicks.held_out) == held_out and len(targets(data)) == 18
    assert not held_out & (targets(data) | data.clicks.clicks.keys() | data.clicks.accepted)
    assert not held_out & {frame.key for clip in data.memory_clips for frame in clip.frames}
    assert held_out.isdisjoint(clip.target.key for clip in growing_targets(data))
    assert accepted_supply(settings, run("other")).targets == {FrameKey("a", 3)}


def test_what_is_held_out_is_said_in_one_line(make, run, caplog):
    take_clicks(make(), run())
    assert "held out to measure with: 2 of 20 clicked frames (4 clicks), the end of video a" in caplog.messages


def test_of_few_clicked_frames_none_is_held_out_which_is_said(make, root, run, caplog):
    with ClickStore(root / "clicks.sqlite", DataSet.open(root).classes) as store:
        for number in range(7, 20):
            store.replace(FrameKey("a", number), [], status="todo")
    data = run_data(make(), run())
    assert not data.clicks.held_out and len(data.clips) == 7
    assert [m for m in caplog.messages if "held out" in m] == [
        "held out to measure with: nothing, as only 7 frames are clicked; from 8 on, some are"
    ]


def test_a_class_that_is_clicked_only_in_held_out_frames_is_named(make, root, run, caplog):
    with ClickStore(root / "clicks.sqlite", DataSet.open(root).classes) as store:
        store.add(LAST[0], [Click(1.0, 1.0, 2)])
    take_clicks(make(), run())
    assert any(
        message.startswith("clicked only in held-out frames, so never learned: sky;") for message in caplog.messages
    )


@pytest.mark.parametrize("split", ["train", "val"])
def test_with_masks_nothing_is_held_out(make, root, run, caplog, split):
    (root / "splits.yaml").write_text("train: [a]\nval: [b]")
    for video, number in (("b", 0), ({"train": "a", "val": "b"}[split], 0)):
        for kind in ("frames", "masks") if video == {"train": "a", "val": "b"}[split] else ("frames",):
            (root / kind / video).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / kind / video / f"{number}.png"), np.zeros(SIZE, np.uint8))
    data = run_data(make(), run())
    assert not data.clicks.held_out and len(data.clips) == 20
    assert not [message for message in caplog.messages if "held out" in message]


def test_a_run_keeps_what_it_held_out_and_an_older_one_trains_on_all(make, root, run, caplog):
    older, new = run("older"), run("new")
    copy_store(root / "clicks.sqlite", older.clicks, DataSet.open(root).classes)
    data = run_data(make(), older)
    assert len(data.clips) == 20 and data_facts(make(), data) == data_facts(make(held_out=0.0), data)
    with pytest.raises(DataError, match="holds no clicks out"):
        measurable(make(), older, "val")
    assert targets(run_data(make(), new)) == targets(run_data(make(held_out=0.5), new))
    caplog.clear()
    report_newer_clicks(make(), new.clicks)
    assert not caplog.records


def test_without_masks_and_held_out_clicks_the_refusal_says_what_to_do(make, run):
    with pytest.raises(
        DataError, match=r"no masks in its val split, .* add masks .*, or click 8 frames or more"
    ) as refusal:
        measurable(make(), run(), "val")
    assert "\n" not in str(refusal.value)


def test_networks_of_other_runs_are_refused(run, tmp_path):
    refuse_other_checkpoint(run("a"), tmp_path / "runs" / "a" / "student" / "last.ckpt")
    with pytest.raises(RunError, match="may be trained from the clicks that b held out"):
        refuse_other_checkpoint(run("b"), tmp_path / "runs" / "a" / "student" / "last.ckpt")


class LeftIsRoad:
    """Labels everything road (0): right on the left click of each frame, wrong on the other."""

    stage, parameters, device, precision = "student", 1, torch.device("cpu"), "fp32"

    def logits(self, images):
        return torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(len(images), 3, *images.shape[-2:])


@pytest.fixture
def measured(make, run, monkeypatch, tmp_path):
    """Evaluate that network on the held-out clicks; return the evaluation and the folder of its results."""
    the_run, folder = run(), tmp_path / "results"
    take_clicks(make(), the_run)
    monkeypatch.setattr(evaluating, "open_model", lambda *args, **options: LeftIsRoad())
    monkeypatch.setattr(evaluating, "measure_speed", lambda model, size: None)
    settings, split = measurable(make(), the_run, "val")
    evaluation, _ = evaluate(settings, the_run, Chosen(tmp_path / "x.ckpt", "test"), split, folder=folder)
    return evaluation, folder


def test_numbers_by_hand(measured):
    evaluation, folder = measured
    scores = evaluation.scores
    assert scores.confusion.tolist() == [[2, 0, 0], [2, 0, 0], [0, 0, 0]]
    assert scores.accuracy == 0.5 and scores.class_accuracy[:2] == (1, 0) and math.isnan(scores.class_accuracy[2])
    assert math.isnan(scores.miou) and all(map(math.isnan, scores.iou))
    assert evaluation.pairs.available == 2  # 17 and 18, 18 and 19
    assert evaluation.temporal.masked == 1
    found = json.loads((folder / "metrics.json").read_text())
    assert found["measured_with"] == "clicks" and found["miou"] is None and found["accuracy"] == 0.5
    assert found["iou"] == {"road": None, "car": None, "sky": None}
    assert found["clicks"]["count"] == 4 and found["clicks"]["per_class"]["sky"]["interval"] == [None, None]
    assert found["evaluated"]["clicks"] == 36  # trained from


def test_the_report_says_what_was_measured_and_shows_the_clicks(measured):
    report = (measured[1] / "report.html").read_text(encoding="utf-8")
    assert (
        "measured with 4 held-out clicks on 2 frames; says nothing about borders, nor about classes without clicks"
        in report
    )
    assert "not independent" in report and "a:18: 1 of 2 clicks right" in report
    assert "mIoU</p>" not in report and "IoU %" not in report
    assert (measured[1] / "per_class.csv").read_text().splitlines()[0] == "id,class,accuracy,low,high,clicks"


def test_a_frame_of_another_size_than_it_was_clicked_on_is_refused(make, root, run):
    the_run = run()
    take_clicks(make(), the_run)
    settings, split = measurable(make(), the_run, "val")
    cv2.imwrite(str(root / "frames" / "a" / "19.png"), np.zeros((16, 32, 3), np.uint8))
    with pytest.raises(DataError, match=r"19\.png is 32x16 but its clicks were made on 64x32"):
        score(LeftIsRoad(), settings.make_data(clicks=the_run.clicks), split)
