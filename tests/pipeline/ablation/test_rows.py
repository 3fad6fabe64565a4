import json
import math
import os
import shutil
import signal

import pytest
import torch

from weclick.clicks import Click, ClickStore
from weclick.conventions import FrameKey
from weclick.data.dataset import DataSet
from weclick.errors import ConfigError, TrainingError
from weclick.files import write_json, write_text
from weclick.pipeline.ablation import Row, rows
from weclick.pipeline.ablation.rows import train_rows
from weclick.pipeline.clicks import take_clicks
from weclick.reporting.comparison.outcome import Outcome
from weclick.signals import Interrupted

METRICS = {
    **{"miou": 0.5, "iou": {"road": 0.5, "car": None}, "temporal_consistency": {"masked": 0.8, "unmasked": 0.7}},
    "video_consistency": {"8": 0.9},
    "speed": {"fps": 50.0, "ms": 20.0, "device": "a processor", "size": [360, 480], "precision": "fp32"},
    "evaluated": {"split": "val", "frames": 101, "clicks": 1000, "checkpoint": "elsewhere/student/last.ckpt"},
}


@pytest.fixture
def trained(monkeypatch, settings):
    """Rows whose training and evaluation only leave their files; a list of what was done comes with them."""
    done = []

    def fit(settings, run, stages):
        done.append(("fit", run.name))
        checkpoint = run.checkpoint("student", "last")
        if not checkpoint.exists():
            checkpoint.parent.mkdir(parents=True)
            torch.save({}, checkpoint)

    def evaluate(settings, run, chosen, split, *, folder):
        done.append(("evaluate", run.name))
        write_json(folder / "metrics.json", METRICS)
        write_text(folder / "report.html", "report")

    monkeypatch.setattr(rows, "check", lambda settings: None)
    monkeypatch.setattr(rows, "need_masks", lambda data, split: None)
    monkeypatch.setattr(rows, "take_clicks", lambda *arguments: None)
    monkeypatch.setattr(rows, "fit", fit)
    monkeypatch.setattr(rows, "evaluate", evaluate)
    made = [Row(f"{arm}-s0", settings(arm=arm), lambda teacher, memory: "seed: 0\n") for arm in ("clicks", "full")]
    return made, done


def test_results_are_written_after_every_row(trained, tmp_path):
    seen = []
    outcomes = train_rows(trained[0], tmp_path, lambda found: seen.append([outcome.arm for outcome in found]))
    assert seen == [["clicks"], ["clicks", "full"]]
    assert [outcome.report.parents[1].name for outcome in outcomes] == ["clicks-s0", "full-s0"]


def test_the_file_of_an_evaluation_tells_all(trained, tmp_path):
    outcome = train_rows(trained[0][:1], tmp_path, lambda found: None)[0]
    assert (outcome.miou, outcome.iou["road"], outcome.temporal) == (0.5, 0.5, 0.8)
    assert math.isnan(outcome.iou["car"])
    assert outcome.video_consistency == {8: 0.9}
    assert (outcome.speed.fps, outcome.speed.size) == (50.0, (360, 480))
    assert (outcome.split, outcome.frames, outcome.clicks) == ("val", 101, 1000)


def test_a_finished_evaluation_is_not_repeated(trained, tmp_path):
    made, done = trained
    first = train_rows(made, tmp_path, lambda found: None)
    done.clear()
    again = train_rows(made, tmp_path, lambda found: None)
    assert done == [("fit", "clicks-s0"), ("fit", "full-s0")]
    assert [outcome.miou for outcome in again] == [outcome.miou for outcome in first]


def test_somebody_who_clicks_meanwhile_changes_no_row(trained, settings, folder_root, tmp_path, monkeypatch):
    root = shutil.copytree(folder_root, tmp_path / "set")
    store, classes = root / "clicks.sqlite", DataSet.open(root).classes

    def click_and_fit(settings, run, stages):
        with ClickStore(store, classes) as opened:
            opened.add(FrameKey("a", 0), [Click(1.0, 1.0, 0)])
        run.stage(stages[0]).mkdir(parents=True)
        torch.save({}, run.checkpoint(stages[0], "last"))

    monkeypatch.setattr(rows, "take_clicks", take_clicks)
    monkeypatch.setattr(rows, "fit", click_and_fit)
    both = [settings(arm=arm, data={"root": str(root)}) for arm in ("clicks", "weclick")]
    made = [Row(f"row{n}", one, lambda teacher, memory: "seed: 0\n") for n, one in enumerate(both)]
    train_rows(made, tmp_path / "compared", lambda found: None)
    copies = list((tmp_path / "compared").rglob("clicks.sqlite"))
    assert len(copies) == 5  # of the comparison, its rows, and the teacher and the memory of one of them
    assert len({fingerprint(path, classes) for path in copies}) == 1


def fingerprint(path, classes):
    with ClickStore(path, classes, readonly=True) as opened:
        return opened.fingerprint()


def test_rows_share_what_is_made_with_the_same_settings(trained, settings, tmp_path):
    made = [
        Row("kd-s0", settings(arm="kd"), lambda teacher, memory: "seed: 0\n"),
        Row("weclick-s0", settings(arm="weclick"), lambda teacher, memory: "seed: 0\n"),
        Row("far-s0", settings(arm="weclick", data={"stride": 2}), lambda teacher, memory: "seed: 0\n"),
    ]
    train_rows(made, tmp_path, lambda found: None)
    assert len(list((tmp_path / "shared").glob("teacher-s0-*"))) == 1
    assert len(list((tmp_path / "shared").glob("memory-s0-*"))) == 2


def newer_checkpoint(run):
    later = (run / "test" / "report.html").stat().st_mtime_ns + 10**9
    os.utime(run / "student" / "last.ckpt", ns=(later, later))


def changed(**evaluated):
    def change(run):
        write_json(run / "test" / "metrics.json", {**METRICS, "evaluated": {**METRICS["evaluated"], **evaluated}})

    return change


@pytest.mark.parametrize(
    "happens",
    [
        newer_checkpoint,
        changed(split="test"),
        changed(checkpoint="student/best.ckpt"),
        lambda run: (run / "test" / "report.html").unlink(),
        lambda run: (run / "test" / "metrics.json").write_text("{"),
        lambda run: (run / "test" / "metrics.json").write_text("[]"),
        lambda run: (run / "test" / "metrics.json").write_text(json.dumps({**METRICS, "speed": {"fps": 1}})),
    ],
)
def test_an_evaluation_that_does_not_fit_is_made_anew(trained, tmp_path, happens):
    made, done = trained
    train_rows(made[:1], tmp_path, lambda found: None)
    happens(tmp_path / "clicks-s0")
    done.clear()
    assert isinstance(train_rows(made[:1], tmp_path, lambda found: None)[0], Outcome)
    assert done[-1] == ("evaluate", "clicks-s0")


@pytest.mark.parametrize("kind", [TrainingError, ConfigError])
def test_a_refused_row_ends_the_comparison_by_name(trained, tmp_path, monkeypatch, kind):
    def refuse(settings):
        if settings.arm == "full":
            raise kind("it diverged")

    monkeypatch.setattr(rows, "check", refuse)
    written = []
    with pytest.raises(kind, match=r"^arm full, seed 0 \(full-s0\): it diverged$"):
        train_rows(trained[0], tmp_path, written.append)
    assert len(written) == 1
    assert not (tmp_path / "full-s0").exists()


def test_sigterm_stops_an_evaluation_and_the_same_call_goes_on(trained, tmp_path, monkeypatch):
    made, done = trained
    evaluate = rows.evaluate

    def stopped(settings, run, chosen, split, *, folder):
        if run.name == "full-s0":
            signal.raise_signal(signal.SIGTERM)  # to this thread: os.kill may reach another one, later
        evaluate(settings, run, chosen, split, folder=folder)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(rows, "evaluate", stopped)
    with pytest.raises(Interrupted):
        train_rows(made, tmp_path, lambda found: None)
    assert signal.getsignal(signal.SIGTERM) == before
    monkeypatch.setattr(rows, "evaluate", evaluate)
    done.clear()
    assert len(train_rows(made, tmp_path, lambda found: None)) == 2
    assert ("evaluate", "clicks-s0") not in done
    assert ("evaluate", "full-s0") in done


def test_ctrl_c_in_an_evaluation_is_an_interruption(trained, tmp_path, monkeypatch):
    def leave(*args, **kwargs):  # as Lightning does
        raise SystemExit(1)

    monkeypatch.setattr(rows, "evaluate", leave)
    with pytest.raises(KeyboardInterrupt):
        train_rows(trained[0], tmp_path, lambda found: None)
