"""The whole pipeline by its commands, on the synthetic set."""

import csv
import json
import re
import shutil
import warnings
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import yaml

from weclick.cli.options import quiet_libraries
from weclick.data.layouts import CityscapesLayout
from weclick.inference.checkpoint import read_checkpoint
from weclick.modules.arms import ARMS

STUDENT_FILES = {
    "best.ckpt",
    "last.ckpt",
    "metrics.csv",
    "weights.safetensors",
    "curves.png",
    "train_samples.png",
    "val_samples.png",
    "done.json",
    "environments.jsonl",
}


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_leaves_the_promised_files(fit, tmp_path, arm):
    result = fit("--arm", arm, "--name", "run").done()
    run = tmp_path / "runs" / "run"
    assert "run: runs/run" in result.out
    assert names(run / "student") >= STUDENT_FILES
    assert yaml.safe_load((run / "config.yaml").read_text())["arm"] == arm
    if {"student.terms.kd.weight", "student.terms.mfd.weight"} & ARMS[arm].options.keys():
        assert names(run / "teacher") >= STUDENT_FILES
        assert len(list(run.glob("memory/*/*.npz"))) == 4
        assert (run / "memory" / "manifest.json").exists()
    else:
        assert not (run / "teacher").exists()
        assert not (run / "memory").exists()
    assert not list(run.rglob(".*-*"))  # temporary files
    with (run / "student" / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    terms = {name for name in rows[-1] if name.startswith("train/loss_")}
    weights = re.findall(r"student\.terms\.(\w+)\.weight", " ".join(ARMS[arm].options))
    assert terms == {"train/loss_supervised", *(f"train/loss_{name}" for name in weights)}


@pytest.mark.slow
def test_a_student_checkpoint_knows_its_stage_and_holds_no_teacher(trained):
    student, teacher = (read_checkpoint(trained / "done" / stage / "last.ckpt") for stage in ("student", "teacher"))
    assert (student["weclick_stage"], teacher["weclick_stage"]) == ("student", "teacher")
    assert student["state_dict"].keys() == teacher["state_dict"].keys()  # one network of the same kind, not two
    assert not any("teacher" in name for name in student["state_dict"])


@pytest.mark.slow
def test_the_samples_of_a_student_show_teacher_and_memory_too(trained):
    pictures = {s: cv2.imread(str(trained / "done" / s / "train_samples.png")) for s in ("teacher", "student")}
    assert pictures["student"].shape[1] == pytest.approx(2 * pictures["teacher"].shape[1], rel=0.05)


@pytest.mark.slow
def test_finished_stages_are_reused(fit, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs")
    files = [path for path in (tmp_path / "runs").rglob("*") if path.suffix in (".ckpt", ".npz", ".safetensors")]
    before = {path: path.stat().st_mtime_ns for path in files}
    fit("--resume", "done").done()
    assert {path: path.stat().st_mtime_ns for path in files} == before


@pytest.mark.slow
def test_the_config_of_a_run_gives_the_same_weights_again_also_stage_by_stage(weclick, fit, trained, tmp_path):
    weclick("fit", "--config", trained / "done" / "config.yaml", "--stage", "teacher", "--name", "steps").done()
    assert not (tmp_path / "runs" / "steps" / "student").exists()
    fit("--stage", "memory", "--resume", "steps").done()
    fit("--stage", "student", "--resume", "steps").done()
    for file in ("teacher/weights.safetensors", "student/weights.safetensors"):
        assert (tmp_path / "runs" / "steps" / file).read_bytes() == (trained / "done" / file).read_bytes()


@pytest.mark.slow
def test_a_teacher_of_another_run_can_be_used(fit, trained, tmp_path):
    teacher = trained / "done" / "teacher" / "last.ckpt"
    fit("--name", "run", "--teacher_checkpoint", teacher).done()
    assert not (tmp_path / "runs" / "run" / "teacher").exists()
    fit("--name", "next", "--teacher_checkpoint", teacher, "--memory.folder", trained / "done" / "memory").done()
    assert not (tmp_path / "runs" / "next" / "memory").exists()


@pytest.mark.slow
def test_two_runs_in_a_row_keep_their_own_configs(fit, tmp_path):
    for seed in (1, 2):
        fit("--arm", "clicks", "--name", f"run{seed}", "--seed", seed).done()
        assert yaml.safe_load((tmp_path / "runs" / f"run{seed}" / "config.yaml").read_text())["seed"] == seed
    assert names(tmp_path) == {"runs"}


@pytest.mark.slow
def test_spaces_and_umlauts_in_a_runs_name(fit, weclick, tmp_path):
    fit("--arm", "clicks", "--name", "Lauf 1 (müde)").done()
    assert names(tmp_path / "runs" / "Lauf 1 (müde)" / "student") >= STUDENT_FILES
    weclick("test", "--run", "Lauf 1 (müde)").done()


@pytest.mark.slow
def test_nothing_is_written_into_the_data_set(fit, synthetic_root):
    before = {path: path.stat().st_mtime_ns for path in synthetic_root.rglob("*")}
    fit("--arm", "weclick").done()
    assert {path: path.stat().st_mtime_ns for path in synthetic_root.rglob("*")} == before


@pytest.mark.filterwarnings("ignore:.*the batch is skipped and kept in")
def test_a_diverged_training_is_refused_and_names_the_step(fit):
    line = fit("--arm", "clicks", "--student.optimiser.learning_rate=1e30", "--trainer.max_epochs=4").refused(
        "supervised"
    )
    assert "step" in line
    assert "--student.optimiser.learning_rate" in line


# Damaged images


@pytest.fixture
def damaged(folder_of_twenty):
    """Spoil some training images of a folder set."""

    def spoil(numbers):
        for number in numbers:
            path = folder_of_twenty / "frames" / "a" / f"{number}.png"
            path.write_bytes(path.read_bytes()[:200] if number % 2 else b"")
        return folder_of_twenty

    return spoil


@pytest.fixture
def folder_of_twenty(tmp_path):
    root = tmp_path / "set"
    rng = np.random.default_rng(0)
    for video, count in (("a", 20), ("b", 1)):
        for kind in ("frames", "masks"):
            (root / kind / video).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 255, (64, 128, 3), np.uint8)
            cv2.imwrite(str(root / "frames" / video / f"{number}.png"), image)
            cv2.imwrite(str(root / "masks" / video / f"{number}.png"), np.eye(64, 128, dtype=np.uint8))
    (root / "classes.yaml").write_text("[ground, line]")
    (root / "splits.yaml").write_text("{train: [a], val: [b]}")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["full", "weclick"])
def test_few_damaged_images_are_reported_and_left_out(fit, damaged, arm, monkeypatch):
    root = damaged([4, 11])
    monkeypatch.setattr("weclick.data.datamodule.MAX_DAMAGED", 0.2)
    with pytest.warns(UserWarning, match=r"damaged training frame left out") as warned:
        fit("--arm", arm, "--data.root", root).done()
    reported = {str(w.message).split("frames/a/")[1][:2] for w in warned if "damaged" in str(w.message)}
    assert reported == {"4.", "11"}


def test_a_warning_names_no_place_in_the_code(monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    quiet_libraries()
    assert warnings.formatwarning("damaged: a.png", UserWarning, "loops.py", 199) == "warning: damaged: a.png\n"


def test_too_many_damaged_images_stop_the_run(fit, damaged):
    with pytest.warns(UserWarning, match=r"damaged training frame left out"):
        fit("--arm", "full", "--data.root", damaged(range(0, 20, 3))).refused("damaged", "weclick data check")


def test_nothing_but_damaged_images_stop_the_run(fit, damaged):
    fit("--arm", "full", "--data.root", damaged(range(20))).refused("damaged")


# Evaluation


@pytest.mark.slow
def test_test_writes_tables_report_and_official_predictions(weclick, trained, synthetic_root):
    result = weclick("test", "--runs", trained, "--data.batch_size", 3).done()
    folder = trained / "done" / "test"
    assert names(folder) >= {"metrics.json", "per_class.csv", "confusion.csv", "report.html", "predictions"}
    metrics = json.loads((folder / "metrics.json").read_text())
    labels = {path.name for path in synthetic_root.glob("gtFine/val/*/*_labelIds.png")}
    assert metrics["evaluated"]["frames"] == len(labels) == 8
    assert metrics["evaluated"]["split"] == "val"
    assert "val" in result.out.splitlines()[0]
    predictions = list((folder / "predictions").iterdir())
    assert {path.name.replace("pred_labelIds", "gtFine_labelIds") for path in predictions} == labels
    assert cv2.imread(str(predictions[0]), cv2.IMREAD_UNCHANGED).shape == (64, 128)
    assert "mIoU" in result.out
    html = (folder / "report.html").read_text()
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html
    assert "batch_size: 3" in html  # the settings it was evaluated with


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "stage", "folders"),
    [("test", "student", ["test"]), ("test", "teacher", ["test/teacher-last"]), ("validate", "student", [])],
)
def test_results_of_test_are_a_job_of_the_run(weclick, trained, monkeypatch, command, stage, folders):
    records = []

    def record(folder, tracking, **options):
        records.append((folder, options))
        return tracker

    tracker = Mock()
    monkeypatch.setattr("weclick.pipeline.tracking.make_tracker", record)
    weclick(command, "--run", trained / "done", "--stage", stage).done()
    assert [folder for folder, _ in records] == [trained / "done" / folder for folder in folders]
    for _, options in records:
        assert (options["names"], options["job"]) == (("done", "test"), "test")
        assert (options["config"]["stage"], options["config"]["split"]) == (stage, "val")
        tracker.log_evaluation.assert_called_once()
        tracker.finalize.assert_called_once_with("success")


@pytest.mark.slow
def test_results_of_another_runs_checkpoint_are_not_tracked(weclick, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("weclick.pipeline.tracking.make_tracker", lambda *a, **k: pytest.fail("tracked"))
    other = shutil.copy(trained / "done" / "student" / "last.ckpt", tmp_path / "other.ckpt")
    weclick("test", "--run", trained / "done", "--ckpt_path", other).done()


@pytest.mark.slow
def test_validate_prints_and_writes_nothing(weclick, trained):
    before = sorted(trained.rglob("*"))
    result = weclick("validate", "--runs", trained, "--run", "done", "--stage", "teacher").done()
    assert "teacher/last.ckpt" in result.out
    assert "mIoU" in result.out
    assert sorted(trained.rglob("*")) == before


@pytest.mark.slow
def test_a_checkpoint_by_its_path_finds_its_run_and_may_be_of_any_stage(weclick, trained):
    result = weclick("validate", "--ckpt_path", trained / "done" / "teacher" / "best.ckpt").done()
    assert "named on the command line" in result.out


def test_the_command_line_beats_the_runs_config(weclick, trained):
    weclick("validate", "--runs", trained, "--data.root", "elsewhere").refused("elsewhere")


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "a film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 12.5, (96, 64))
    for index in range(7):
        writer.write(np.full((64, 96, 3), 30 * index, np.uint8))
    writer.release()
    return path


@pytest.mark.slow
def test_predict_writes_a_playable_overlay_and_labels(weclick, trained, film, tmp_path):
    result = weclick("predict", "--source", film, "--runs", trained, "--out", "out").done()
    assert "7 frames" in result.out
    videos = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".mp4", ".webm", ".avi")]
    assert len(videos) == 1
    capture = cv2.VideoCapture(str(videos[0]))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5, rel=0.01)
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 7
    labels = sorted((tmp_path / "out").rglob("*.png"))
    assert len(labels) == 7
    assert cv2.imread(str(labels[0]), cv2.IMREAD_UNCHANGED).shape[:2] == (64, 96)


@pytest.mark.slow
def test_a_timer_among_the_users_callbacks_is_written_down_and_runs(fit, tmp_path):
    timer = {"class_path": "lightning.pytorch.callbacks.Timer", "init_args": {"duration": "00:01:00:00"}}
    config = {"arm": "clicks", "trainer": {"callbacks": [timer]}}
    (tmp_path / "timer.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    fit("--config", tmp_path / "timer.yaml", "--name", "timed").done()
    written = yaml.safe_load((tmp_path / "runs" / "timed" / "config.yaml").read_text())
    assert written["trainer"]["callbacks"][0]["init_args"]["duration"] == "00:01:00:00"
    fit("--resume", "timed").done()


@pytest.mark.slow
@pytest.mark.parametrize("command", [["fit"], ["ablate", "--arms", "clicks,weclick", "--seeds", "0"]])
def test_a_data_set_is_opened_and_listed_once_per_process(weclick, tiny, synthetic_root, monkeypatch, command):
    opened, listed = [], []
    build, list_all = CityscapesLayout.__init__, CityscapesLayout._list

    def count_opened(self, *arguments, **options):
        opened.append(self)
        build(self, *arguments, **options)

    def count_listed(self):
        listed.append(self)
        return list_all(self)

    monkeypatch.setattr(CityscapesLayout, "__init__", count_opened)
    monkeypatch.setattr(CityscapesLayout, "_list", count_listed)
    weclick(*command, "--data.root", synthetic_root, *tiny).done()
    assert len(opened) == len(listed) == 1
