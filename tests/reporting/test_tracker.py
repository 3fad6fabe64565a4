"""Weights & Biases never stops a training, and shows one record per job of a run."""

import random
import shutil
import sys
import types
import warnings
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch

from weclick.classes import ClassSet
from weclick.metrics import Evaluation, scores_from_confusion
from weclick.reporting import media, tracker
from weclick.reporting.loggers import make_loggers
from weclick.reporting.metrics_file import MetricsFile
from weclick.reporting.options import TrackingOptions
from weclick.reporting.samples import Sample
from weclick.reporting.stages import read_metrics
from weclick.reporting.tracker import SafeWandb, make_tracker, wandb_mode

CLASSES = ClassSet.from_list([{"name": "road"}, {"name": "car"}])


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No decision of the shell reaches the tests, and nothing is written outside of them."""
    for name in ("WANDB_MODE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-files"))


# The tracker's mode


@pytest.mark.parametrize(
    ("variable", "chosen", "logged_in", "expected"),
    [
        (None, "auto", True, "online"),
        (None, "auto", False, "offline"),
        (None, "online", False, "online"),
        (None, "offline", True, "offline"),
        (None, "disabled", True, "disabled"),
        ("disabled", "online", True, "disabled"),
        ("offline", "online", True, "offline"),
        ("dryrun", "online", True, "offline"),
        ("online", "offline", False, "online"),
        ("", "disabled", True, "disabled"),
        ("nonsense", "disabled", True, "disabled"),
        ("nonsense", "offline", True, "offline"),
        ("auto", "offline", True, "offline"),
    ],
)
def test_promise_6_where_a_run_is_tracked(monkeypatch, variable, chosen, logged_in, expected):
    if variable is not None:
        monkeypatch.setenv("WANDB_MODE", variable)
    monkeypatch.setattr(tracker, "_logged_in", lambda: logged_in)
    assert wandb_mode(chosen) == expected


def test_a_client_that_cannot_tell_is_not_logged_in(monkeypatch):
    def fail(**options):
        raise OSError("no route")

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(login=fail))
    assert wandb_mode("auto") == "offline"


def test_disabled_leaves_only_the_local_file(tmp_path):
    (only,) = track(tmp_path, mode="disabled")
    assert isinstance(only, MetricsFile)


# The tracker's failures


TRUTH = np.array([[0, 1, 1, 255]] * 4, np.uint8)
SAMPLE = Sample("a:1", np.zeros((4, 4, 3), np.uint8), {"truth": TRUTH})
EVALUATION = Evaluation(scores_from_confusion(np.array([[3, 1], [0, 0]])))


def use(tracker):
    """What the jobs of a run call."""
    tracker.log_hyperparams({"arm": "clicks"})
    for step in range(3):
        tracker.log_metrics({"train/loss": 1.0}, step)
    tracker.log_samples("val/samples", [SAMPLE], CLASSES, 3)
    tracker.use(media.Asset("clicks", "clicks", {}))
    tracker.add(media.Asset("model", "model", {}))
    tracker.log_evaluation(EVALUATION, [SAMPLE], CLASSES)
    tracker.experiment.log({"anything": 1})
    tracker.finalize("success")


def track(folder, *, mode="offline", run="läuft 1"):
    return make_loggers(folder, TrackingOptions(mode, "p"), names=(run, "student"), stage="student", config={"a": 1})


def test_trap_34_a_client_that_cannot_be_imported_warns_and_training_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.warns(UserWarning, match="Weights & Biases failed and is left out") as caught:
        (only,) = track(tmp_path, mode="auto")
    assert len(caught) == 1
    assert isinstance(only, MetricsFile)


@pytest.mark.parametrize("error", [OSError("disk full\nreally"), RuntimeError(""), ValueError("no key")])
def test_trap_34_a_tracker_that_cannot_start_warns_once_and_training_goes_on(tmp_path, monkeypatch, error):
    def fail(**options):
        raise error

    monkeypatch.setattr("wandb.init", fail)
    with pytest.warns(UserWarning, match="Weights & Biases failed and is left out") as caught:
        local, tracker = track(tmp_path)
        use(tracker)
    assert len([w for w in caught if "Weights & Biases" in str(w.message)]) == 1
    assert tracker.failed
    local.log_metrics({"train/loss": 1.0}, 0)
    assert read_metrics(tmp_path / "metrics.csv")


def test_a_tracker_that_breaks_midway_warns_once_and_training_goes_on(tmp_path):
    class Broken:
        def __getattr__(self, name):
            raise ConnectionError("broken pipe")

    tracker = SafeWandb(experiment=None, save_dir=tmp_path, offline=True)
    tracker._experiment = Broken()
    with pytest.warns(UserWarning, match="Weights & Biases failed") as caught:
        use(tracker)
    assert len(caught) == 1


@pytest.mark.parametrize("error", [TimeoutError("uploads"), OSError("broken pipe")])
def test_an_end_that_fails_or_waits_too_long_for_uploads_only_warns(tmp_path, monkeypatch, error):
    opened = []

    def init(**options):
        opened.append(options)
        return Mock(finish=Mock(side_effect=error))

    monkeypatch.setattr("wandb.init", init)
    with pytest.warns(UserWarning, match="Weights & Biases failed") as caught:
        _, tracker = track(tmp_path)
        tracker.log_metrics({"train/loss": 1.0}, 0)
        tracker.finalize("success")
    assert len(caught) == 1
    chosen = opened[0]["settings"]
    assert 0 < chosen.finish_timeout <= 300  # by default it is 0: for ever
    assert chosen.finish_timeout_raises


def test_other_processes_than_the_first_track_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("wandb.init", lambda **options: pytest.fail("a run was opened"))
    _, tracker = track(tmp_path)
    tracker.experiment.log({"a": 1})
    assert not tracker.failed


def test_a_resumed_run_goes_on_under_the_same_id(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("wandb.init", lambda **options: opened.append(options))
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            track(tmp_path, run="läuft 1/" + 100 * "x")
    first, second = (options["id"] for options in opened)
    assert first == second
    assert 8 <= len(first) <= 64
    assert first.isalnum()


def test_runs_of_one_name_and_seed_are_records_of_their_own(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("wandb.init", lambda **options: opened.append(options))
    for folder in ("one comparison", "another"):
        torch.manual_seed(0)
        random.seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            track(tmp_path / folder, run="clicks-s0")
    assert opened[0]["name"] == opened[1]["name"]
    assert opened[0]["id"] != opened[1]["id"]


def test_a_record_starts_again_where_its_stage_was_deleted(tmp_path):
    import wandb

    ids = []
    for _ in range(2):
        _, tracker = track(tmp_path / "student")
        use(tracker)
        (file,) = (tmp_path / "student" / "wandb").glob("offline-run-*/*.wandb")
        ids.append(file.stem)
        shutil.rmtree(tmp_path / "student")
    wandb.teardown()
    assert len(set(ids)) == 2


def test_a_job_that_is_done_again_goes_on_in_its_record(tmp_path, monkeypatch):
    opened, closed = [], []

    def init(**options):
        opened.append(options)
        run = Mock()
        run.finish = lambda exit_code: closed.append(exit_code)
        return run

    monkeypatch.setattr("wandb.init", init)
    monkeypatch.setattr(tracker, "_logged_in", lambda: True)
    for _ in range(2):
        later = make_tracker(tmp_path, TrackingOptions(), names=("läuft 1", "test"), job="test", config={})
        later.finalize("success")
        assert not later.failed
    assert opened[0]["id"] == opened[1]["id"]
    assert [options["resume"] for options in opened] == ["allow", "allow"]
    assert (opened[0]["group"], opened[0]["job_type"], opened[0]["name"]) == ("läuft 1", "test", "läuft 1-test")
    assert closed == [0, 0]


def test_a_summary_that_cannot_be_written_only_warns(tmp_path):
    broken = SafeWandb(experiment=None, save_dir=tmp_path, offline=True)
    broken._experiment = types.SimpleNamespace(summary=None)
    with pytest.warns(UserWarning, match="Weights & Biases failed"):
        broken.log_evaluation(EVALUATION, [SAMPLE], CLASSES)


def test_in_a_sweep_only_the_student_is_tracked_as_its_agent_gives_a_process_one_record(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    monkeypatch.setattr("wandb.init", Mock())
    jobs = ("teacher", "memory", "student", "test")
    tracked = [make_tracker(tmp_path, TrackingOptions("offline"), names=("r", job), job=job, config={}) for job in jobs]
    assert [found is not None for found in tracked] == [False, False, True, False]


def test_promise_6_an_offline_run_needs_no_network(tmp_path, monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        _, tracker = track(tmp_path, mode="auto")
        use(tracker)
    wandb.teardown()
    assert not tracker.failed
    (written,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert written.stat().st_size > 0


def test_trap_35_overlays_carry_their_masks_with_names_and_ignored_pixels():
    (mask,) = media.picture(SAMPLE, CLASSES)._masks.values()
    stored = cv2.imread(mask._path, cv2.IMREAD_UNCHANGED)
    assert (stored == TRUTH).all()
    assert mask._val["class_labels"] == {0: "road", 1: "car"}


def test_a_layer_that_labels_nothing_is_left_out():
    empty = Sample("", SAMPLE.image, {"memory": np.full((4, 4), 255, np.uint8)})
    assert media.picture(empty, CLASSES)._masks is None


def test_a_confusion_matrix_of_many_classes_is_a_picture():
    import wandb

    many = ClassSet.from_list([{"name": f"c{index}"} for index in range(41)])
    assert isinstance(media.confusion_chart(np.eye(41, dtype=np.int64), many), wandb.Image)
    chart = media.confusion_chart(np.array([[3, 1], [0, 0]]), CLASSES)
    assert chart.table.data == [
        ["road", "road", 75.0],
        ["road", "car", 25.0],
        ["car", "road", 0.0],
        ["car", "car", 0.0],
    ]


def test_names_that_the_client_refuses_are_replaced():
    assert media.artifact(media.Asset("läuft 1 (müde)-clicks", "clicks", {})).name == "l-uft-1--m-de--clicks"
