import random
import shutil
import sys
import types
import warnings
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from weclick.classes import ClassSet
from weclick.errors import RunError
from weclick.reporting import loggers
from weclick.reporting.loggers import (
    MetricsFile,
    SafeWandb,
    make_loggers,
    make_tracker,
    wandb_mode,
)
from weclick.reporting.stages import read_metrics

CLASSES = ClassSet.from_list([{"name": "road"}, {"name": "car"}])


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No decision of the shell reaches the tests, and nothing is written outside of them."""
    for name in ("WANDB_MODE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-files"))


# The local file


def test_metrics_are_written_into_the_folder_itself(tmp_path):
    file = MetricsFile(tmp_path)
    file.log_metrics({"train/loss": torch.tensor(0.5)}, step=3)
    assert read_metrics(tmp_path / "metrics.csv") == [{"train/loss": 0.5, "step": 3.0}]
    assert Path(file.save_dir) == tmp_path


def test_a_resumed_run_keeps_its_rows(tmp_path):
    first = MetricsFile(tmp_path)
    first.log_metrics({"train/loss": 0.5}, step=1)
    first.log_metrics({"train/loss": 0.4}, step=2)
    first.finalize("success")
    second = MetricsFile(tmp_path)
    second.log_metrics({"val/miou": 0.3}, step=3)
    second.log_metrics({"train/loss": 0.2, "lr": 0.1}, step=4)
    assert read_metrics(tmp_path / "metrics.csv") == [
        {"train/loss": 0.5, "step": 1.0},
        {"train/loss": 0.4, "step": 2.0},
        {"val/miou": 0.3, "step": 3.0},
        {"train/loss": 0.2, "lr": 0.1, "step": 4.0},
    ]


def test_a_run_that_is_resumed_from_a_step_has_no_rows_after_it(tmp_path):
    first = MetricsFile(tmp_path)
    for step in (0, 4, 5, 9):
        first.log_metrics({"lr": 0.1}, step=step)
    MetricsFile(tmp_path).rewind(5)
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.csv")] == [0, 4]


@pytest.mark.parametrize(
    "text", ["step,loss\n1,0.5\n2,half\n", "step,loss\n1,0.5,7\n", "loss\n0.5\n", "step\n\0\n", "step\n\xff\n"]
)
def test_a_damaged_file_is_refused_by_name(tmp_path, text):
    (tmp_path / "metrics.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"metrics\.csv is damaged \(.*\); restore it, or remove it") as refusal:
        MetricsFile(tmp_path)
    assert "\n" not in str(refusal.value)


def test_promise_4_metrics_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = MetricsFile(tmp_path)
    file.log_metrics({"train/loss": 0.5}, step=1)
    before = (tmp_path / "metrics.csv").read_bytes()

    def killed(*arguments):
        assert (tmp_path / "metrics.csv").read_bytes() == before
        raise OSError("no space left")

    for where in ("os.fsync", "pathlib.Path.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(where, killed)
            with pytest.raises(OSError, match="no space"):
                file.log_metrics({"val/miou": 0.3}, step=2)
        assert (tmp_path / "metrics.csv").read_bytes() == before


def test_a_resumed_file_reads_like_an_uninterrupted_one(tmp_path):
    rows = [({"loss": 0.1, "epoch": 0}, 4), ({"miou": float("nan"), "epoch": 0}, 4), ({"loss": 1e-12, "epoch": 1}, 9)]
    whole = MetricsFile(tmp_path / "whole")
    for row in rows:
        whole.log_metrics(*row)
        MetricsFile(tmp_path / "parts").log_metrics(*row)
    text = (tmp_path / "whole" / "metrics.csv").read_text()
    assert text == (tmp_path / "parts" / "metrics.csv").read_text()
    assert text.splitlines()[1] == "0,0.1,,4"


def test_a_run_that_is_killed_right_after_its_resume_keeps_its_rows(tmp_path):
    MetricsFile(tmp_path).log_metrics({"train/loss": 0.5}, step=1)
    MetricsFile(tmp_path)
    assert read_metrics(tmp_path / "metrics.csv") == [{"train/loss": 0.5, "step": 1.0}]


def test_a_folder_with_other_files_is_no_reason_to_warn(tmp_path):
    (tmp_path / "last.ckpt").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MetricsFile(tmp_path).log_metrics({"a": 1.0}, step=0)
    assert (tmp_path / "last.ckpt").exists()


def test_no_file_is_no_metrics(tmp_path):
    assert read_metrics(tmp_path / "metrics.csv") == []


def test_values_that_are_no_number_survive(tmp_path):
    MetricsFile(tmp_path).log_metrics({"val/miou": float("nan")}, step=0)
    assert np.isnan(read_metrics(tmp_path / "metrics.csv")[0]["val/miou"])


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
    monkeypatch.setattr(loggers, "_logged_in", lambda: logged_in)
    assert wandb_mode(chosen) == expected


def test_a_client_that_cannot_tell_is_not_logged_in(monkeypatch):
    def fail(**options):
        raise OSError("no route")

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(login=fail))
    assert wandb_mode("auto") == "offline"


def test_disabled_leaves_only_the_local_file(tmp_path):
    (only,) = make_loggers(tmp_path, mode="disabled", project="p", run="r", stage="student", config={})
    assert isinstance(only, MetricsFile)


# The tracker's failures


def use(tracker):
    """What a training calls."""
    tracker.log_hyperparams({"arm": "clicks"})
    for step in range(3):
        tracker.log_metrics({"train/loss": 1.0}, step)
    overlay = {"image": np.zeros((4, 4, 3), np.uint8), "truth": np.zeros((4, 4), np.uint8)}
    tracker.log_overlays("val/samples", [overlay], CLASSES)
    tracker.log_class_table("val/iou_per_class", CLASSES, (0.5, float("nan")))
    tracker.experiment.log({"anything": 1})
    tracker.after_save_checkpoint(None)
    tracker.finalize("success")


def track(folder, **options):
    options = {"mode": "offline", "project": "p", "run": "läuft 1", "stage": "student", "config": {"a": 1}} | options
    return make_loggers(folder, **options)


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


def test_results_go_into_the_summary_of_the_same_record(tmp_path, monkeypatch):
    summary, opened, closed = {}, [], []

    def init(**options):
        opened.append(options)
        return types.SimpleNamespace(
            summary=summary,
            finish=lambda exit_code: closed.append(exit_code),
            config=types.SimpleNamespace(update=Mock()),
        )

    monkeypatch.setattr("wandb.init", init)
    monkeypatch.setattr(loggers, "_logged_in", lambda: True)
    track(tmp_path, mode="auto")[1].finalize("success")
    later = make_tracker(tmp_path, mode="auto", project="p", run="läuft 1", stage="student")
    later.log_summary({"test/miou": 0.5})
    later.finalize("success")
    assert summary == {"test/miou": 0.5}
    assert opened[0]["id"] == opened[1]["id"]
    assert opened[1]["resume"] == "allow"
    assert closed == [0, 0]
    assert not later.failed


def test_a_summary_that_cannot_be_written_only_warns(tmp_path):
    tracker = SafeWandb(experiment=None, save_dir=tmp_path, offline=True)
    tracker._experiment = types.SimpleNamespace(summary=None)
    with pytest.warns(UserWarning, match="Weights & Biases failed"):
        tracker.log_summary({"test/miou": 0.5})


def test_disabled_has_no_record(tmp_path):
    assert make_tracker(tmp_path, mode="disabled", project="p", run="r", stage="student") is None


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


def test_trap_35_overlays_carry_their_masks_with_names_and_ignored_pixels(tmp_path, monkeypatch):
    shown, logged = [], []
    monkeypatch.setattr("wandb.Image", lambda image, masks: shown.append((image, masks)))
    tracker = SafeWandb(experiment=None, save_dir=tmp_path, offline=True)
    tracker._experiment = types.SimpleNamespace(log=lambda values, commit: logged.append((values, commit)))
    image, truth = np.zeros((2, 2, 3), np.uint8), np.array([[0, 1], [1, 255]], np.uint8)
    tracker.log_overlays("val/samples", [{"image": image, "truth": truth, "prediction": 1 - truth // 255}], CLASSES)
    assert not tracker.failed
    ((picture, masks),) = shown
    assert picture is image
    assert masks["truth"]["mask_data"].tolist() == [[0, 1], [1, 255]]
    assert masks["prediction"]["class_labels"] == {0: "road", 1: "car"}
    assert logged == [({"val/samples": [None]}, False)]
