"""The local record of metrics survives kills, resumes and damage."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from weclick.errors import RunError
from weclick.reporting.metrics_file import MetricsFile
from weclick.reporting.stages import read_metrics


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
