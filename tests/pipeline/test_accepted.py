"""Accepted labels in a training."""

import csv
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from weclick.clicks import Click, ClickStore
from weclick.clicks.labels import sure_labels
from weclick.clicks.records import AcceptedLabel
from weclick.conventions import IGNORE_INDEX
from weclick.data.dataset import DataSet
from weclick.data.label_maps import LabelMaps
from weclick.data.masks import masks_of, simulate_split
from weclick.errors import ClickError
from weclick.pipeline.accepted import accepted_supply
from weclick.pipeline.grow import grow_clicks, grown_supply
from weclick.pipeline.inputs import run_data
from weclick.signals import Interrupted

ACCEPTED = 6
"""Number of training frames with an accepted label, of ten."""


@pytest.fixture(scope="session")
def dataset(street):
    return DataSet.open(street)


@pytest.fixture(scope="session")
def clicked(dataset, tmp_path_factory):
    """A click on every region of the training frames. Tests must not change it."""
    path = tmp_path_factory.mktemp("clicked") / "clicks.sqlite"
    simulate_split(dataset.layout, "train", path, rule="center", min_area=20, seed=0)
    return path


@pytest.fixture(scope="session")
def masks(dataset):
    """The masks of the frames to accept: of some training frames, and of one validation frame."""
    train, val = (
        {k: load for k, load in masks_of(dataset.layout, split).items() if load} for split in ("train", "val")
    )
    chosen = [*sorted(train)[:ACCEPTED], min(val)]
    return {key: (train | val)[key]()[0] for key in chosen}


@pytest.fixture(scope="session")
def accepted(clicked, dataset, masks, tmp_path_factory):
    """These clicks, and the masks as accepted labels; the left half of each is sure. Tests must not change it."""
    path = shutil.copy(clicked, tmp_path_factory.mktemp("accepted") / "clicks.sqlite")
    with ClickStore(path, dataset.classes) as store:
        for key, mask in masks.items():
            store.add(key, [Click(5.0, 60.0, int(mask[60, 5]))], size=mask.shape)
            store.accept(key, AcceptedLabel(mask, np.repeat(np.uint8([[255, 100]]), 16, 1)))
    return path


@pytest.fixture
def targets(masks, dataset):
    """The training frames with an accepted label."""
    train = {frame.key for frame in dataset.layout.frames("train")}
    return frozenset(key for key in masks if key in train)


@pytest.fixture
def chosen(settings, accepted):
    """Return settings of a student that learns from accepted labels; ``data`` updates its options."""

    def make(data=None, **changes):
        return settings(**{"arm": "accepted", **changes}, data={"store": str(accepted), **(data or {})})

    return make


def losses(run):
    with (run.stage("student") / "metrics.csv").open(encoding="utf-8") as stream:
        return [float(row["train/loss_accepted"]) for row in csv.DictReader(stream) if row["train/loss_accepted"]]


def label_files(run):
    return sorted((run.folder / "accepted").rglob("*.png"))


# Labels of a size, where they are sure

I = IGNORE_INDEX  # noqa: E741 - as short as the ids beside it
IDS = np.uint8([[0, 1, 2, 2], [0, 1, I, 2]])


@pytest.mark.parametrize(
    ("sure", "expected"),
    [
        (0.0, [[0, 1, 2, 2], [0, 1, I, 2]]),
        (0.5, [[I, I, 2, 2], [I, I, I, 2]]),
        (0.75, [[I, I, I, 2], [I, I, I, 2]]),  # 191 is less than three quarters of 255
        (1.0, [[I, I, I, 2], [I, I, I, 2]]),
    ],
)
def test_unsure_pixels_are_ignored(sure, expected):
    """The confidence of the two cells, 0 and 255, is 0, 64, 191 and 255 at the four columns."""
    label = AcceptedLabel(IDS, np.uint8([[0, 255]]))
    assert sure_labels(label, (2, 4), sure).tolist() == expected


def test_labels_are_resized_by_the_nearest_pixel():
    label = AcceptedLabel(np.kron(np.uint8([[0, 9], [I, 4]]), np.ones((4, 4), np.uint8)), np.uint8([[255]]))
    found = sure_labels(label, (4, 6), 1.0)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0] * 3 + [9] * 3] * 2 + [[I] * 3 + [4] * 3] * 2


# The supply of a run


def test_the_labels_of_a_run_are_the_sure_pixels_of_its_accepted_frames(chosen, run, masks, targets, accepted):
    supply = accepted_supply(chosen(), run())
    assert supply.targets == targets and len(targets) == ACCEPTED
    for key in targets:
        found = supply.maps.read(key, (64, 128))
        assert found.shape == (32, 64)
        assert (found[:, :24] == masks[key][1::2, 1:48:2]).mean() > 0.9  # an edge may move by half a pixel
        assert (found[:, 40:] == IGNORE_INDEX).all()


def test_a_batch_has_the_accepted_labels_of_its_targets_and_none_elsewhere(chosen, run, masks, targets):
    options, made = chosen({"crop": (64, 128), "scale": (1.0, 1.0), "flip": 0.0}), run()
    data = run_data(options, made, (accepted_supply(options, made),))
    data.setup("fit")
    with_label = []
    for batch in data.train_dataloader():
        present = batch["present"].any(1).tolist()
        batch = data.on_after_batch_transfer(batch, 0)
        assert batch["accepted"].shape == (2, 16, 32)
        labelled = (batch["accepted"] != IGNORE_INDEX).flatten(1).any(1).tolist()
        assert [not sample for sample in labelled] == present  # with a label, no class counts as absent
        with_label += labelled
    assert sum(with_label) == ACCEPTED


def test_labels_are_written_once(chosen, run):
    made = run()
    accepted_supply(chosen(), made)
    first = {path: path.stat().st_mtime_ns for path in label_files(made)}
    dropped = next(iter(first))
    dropped.unlink()
    accepted_supply(chosen(), made)
    again = {path: path.stat().st_mtime_ns for path in label_files(made)}
    assert again.keys() == first.keys()
    assert [path for path in first if again[path] != first[path]] == [dropped]


def test_writing_goes_on_where_it_was_cut_off(chosen, run, monkeypatch):
    made, write, written = run(), LabelMaps.write, []

    def write_three(maps, key, labels):
        if len(written) == 3:
            raise KeyboardInterrupt
        write(maps, key, labels)
        written.append(key)

    with monkeypatch.context() as patch:
        patch.setattr(LabelMaps, "write", write_three)
        with pytest.raises(KeyboardInterrupt):
            accepted_supply(chosen(), made)
    assert len(label_files(made)) == 3
    monkeypatch.setattr(LabelMaps, "write", lambda maps, key, labels: [write(maps, key, labels), written.append(key)])
    supply = accepted_supply(chosen(), made)
    assert len(written) == len(set(written)) == len(supply.targets) == ACCEPTED


def test_another_confidence_writes_into_another_folder(chosen, run):
    made = run()
    least, most = (accepted_supply(chosen({"sure": sure}), made) for sure in (0.1, 0.9))
    assert least.maps.folder != most.maps.folder
    assert least.targets == most.targets
    for key in least.targets:
        assert (least.maps.read(key, (64, 128)) != IGNORE_INDEX).sum() > 1.5 * (
            most.maps.read(key, (64, 128)) != IGNORE_INDEX
        ).sum()


def test_labels_accepted_after_the_start_of_a_run_are_not_used_in_it(chosen, run, dataset, accepted, tmp_path, masks):
    store, made = shutil.copy(accepted, tmp_path / "live.sqlite"), run()
    options = chosen({"store": str(store)})
    before = accepted_supply(options, made)
    with ClickStore(store, dataset.classes) as live:
        later = next(key for key in live.all_clicks() if key not in masks)
        live.accept(later, AcceptedLabel(np.zeros(live.frame(later).size, np.uint8), np.uint8([[255]])))
    assert accepted_supply(options, made).targets == before.targets
    assert accepted_supply(options, run("new")).targets == before.targets | {later}


def test_a_damaged_label_is_refused_naming_its_frame(chosen, run, accepted, targets, tmp_path):
    store, key = shutil.copy(accepted, tmp_path / "damaged.sqlite"), min(targets)
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("UPDATE labels SET ids = x'00' WHERE (video, number) = (?, ?)", key)
    with pytest.raises(ClickError, match=f"accepted label of frame {key} is damaged"):
        accepted_supply(chosen({"store": str(store)}), run())


# Which frames are complete


def test_frames_with_an_accepted_label_are_not_complete_and_their_clicks_do_not_grow(chosen, run, targets):
    options, made = chosen(student={"grown": 1.0}), run()
    clicks = run_data(options, made).clicks
    assert clicks.accepted == targets
    assert not clicks.unfinished
    assert clicks.complete == clicks.clicks.keys() - targets
    grow_clicks(options, made)
    assert grown_supply(options, made).targets == clicks.complete
    assert len(list((made.folder / "grown").rglob("*.png"))) == 10 - ACCEPTED


@pytest.mark.slow
def test_a_frame_accepted_without_a_click_is_trained_from_in_every_stage(
    settings, accepted, run, fit, dataset, targets, tmp_path
):
    path = shutil.copy(accepted, tmp_path / "clicks.sqlite")
    chosen = min(targets)
    with ClickStore(path, dataset.classes) as store:
        label = store.label(chosen)
        store.replace(chosen, [])
        store.accept(chosen, label)
    options, made = settings(arm="beyond", data={"store": str(path)}), run()
    data = run_data(options, made)
    assert chosen in data.clicks.clicks and chosen in {clip.target.key for clip in data.clips}
    fit(options, made, "teacher", "memory", "student")
    assert len(label_files(made)) == ACCEPTED
    assert "loss_accepted" in (made.stage("student") / "metrics.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "data",
    [{"per_frame": 2}, {"frame_share": 0.5}, {"supervision": "masks"}],
    ids=["per_frame", "frame_share", "masks"],
)
def test_a_training_from_fewer_clicks_or_from_masks_uses_no_accepted_label(chosen, run, data):
    made = run()
    assert accepted_supply(chosen(data), made).targets == frozenset()
    assert label_files(made) == []


# The training


@pytest.mark.slow
def test_a_student_learns_from_clicks_and_accepted_labels(chosen, run, fit):
    made = fit(chosen(), run(), "student")
    assert len(label_files(made)) == ACCEPTED
    assert all(loss > 0 for loss in losses(made))
    header = (made.stage("student") / "metrics.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "train/loss_supervised" in header


@pytest.mark.slow
def test_a_training_from_a_store_without_labels_has_no_such_loss(chosen, run, fit, clicked):
    made = fit(chosen({"store": str(clicked)}, trainer={"max_epochs": 1}), run(), "student")
    assert label_files(made) == []
    assert set(losses(made)) == {0.0}


@pytest.mark.slow
def test_an_interrupted_training_goes_on_with_the_same_labels(chosen, run, fit, signal_after):
    options = chosen(trainer={"max_epochs": 1})
    whole, cut = fit(options, run("whole"), "student"), run("cut")
    with pytest.raises(Interrupted):
        fit(replace(options, callbacks=signal_after(2)), cut, "student")
    before = {path: path.stat().st_mtime_ns for path in label_files(cut)}
    fit(options, cut, "student")
    assert losses(cut) == pytest.approx(losses(whole), rel=1e-5)
    assert {path: path.stat().st_mtime_ns for path in label_files(cut)} == before
