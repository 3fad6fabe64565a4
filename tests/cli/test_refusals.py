"""Promise 5: what cannot be done is refused in one line that names it, and nothing is left half-written."""

import shlex
import shutil
import signal
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from weclick.cli.main import COMMANDS
from weclick.cli.options import add_settings
from weclick.cli.renamed import RENAMED
from weclick.errors import DataError
from weclick.files import write_text
from weclick.pipeline.run import Run
from weclick.signals import Interrupted

from .conftest import TINY

PIXEL = np.zeros((1, 1, 3), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["paint"], 2, ["paint", "fit"]),
        (["fit", "--data.rot", "x"], 2, ["data.rot"]),
        (["fit", "--data.root", "x", "--nonsense=1"], 2, ["nonsense"]),
        (["fit", "--data.root", "x", "--batch_size=1"], 2, ["did you mean data.batch_size?"]),
        (["ablate", "--data.root", "x", "--max_epochs", "1"], 2, ["did you mean trainer.max_epochs?"]),
        (["fit", "--data.root", "x", "--trainer.max_epochs=many"], 2, ["max_epochs"]),
        (["fit", "--data.root", "x", "--arm=best"], 2, ["arm"]),
        (["fit", "--data.root", "x", "--trainer.fast_dev_run=true"], 2, ["fast_dev_run"]),
        (["fit"], 2, ["data.root"]),
        (["fit", "--data.root", "missing"], 1, ["missing"]),
        (["fit", "--config", "missing.yaml"], 1, ["missing.yaml", "configs"]),
        (["fit", "--resume", "missing"], 1, ["missing"]),
        (["fit", "--config"], 2, ["config"]),
        (["test"], 1, ["runs", "--run"]),
        (["validate", "--run", "missing"], 1, ["missing"]),
        (["test", "--ckpt_path", "missing.ckpt"], 1, ["missing.ckpt", "--run"]),
        (["predict"], 2, ["source"]),
        (["predict", "--source", "film.mp4"], 1, ["runs"]),
        (["predict", "--source", "film.mp4", "--ckpt_path", "missing.ckpt"], 1, ["missing.ckpt"]),
        (["predict", "--source", "x.mp4", "--ckpt_path", "https://example.org/x.ckpt"], 1, ["URL"]),
        (["clicks", "stats", "missing"], 1, ["missing"]),
        (["clicks", "paint", "missing"], 2, ["paint"]),
        (["data", "check", "missing"], 1, ["missing"]),
        (["ablate", "--data.root", "x", "--arms", "clicks,best"], 1, ["best", "full"]),
        (["ablate", "--data.root", "x", "--seeds", "one"], 1, ["one", "0,1,2"]),
        (["clicks", "export", "x", "y", "--format", "yolo"], 2, ["format: expected one of csv, cvat,", "; found yolo"]),
        (["fit", "--data.root", "x", "--teacher_epochs=a"], 2, ["teacher_epochs: expected a whole number; found a"]),
        (["fit", "--data.root", "x", "--data.draws.flip", "nan"], 2, ["data.draws.flip: expected a number; found nan"]),
        (["benchmark", "student", "--size", "[-4,64]"], 1, ["--size [-4, 64]", "at least 1"]),
        (["benchmark", "student", "--classes", "0"], 1, ["--classes 0", "at least 1"]),
        (["annotate", "x", "--preview_cache", "-1"], 1, ["--preview_cache must be at least 0, found -1"]),
        (["clicks", "labels", "x", "y", "--sure", "1.1"], 1, ["--sure must be from 0 to 1, found 1.1"]),
        (["export", "--ckpt_path", "x.ckpt", "--size", "[99999,99999]"], 1, ["--size", "at most 67108864 pixels"]),
    ],
    ids=lambda value: "_".join(value)[:60] if isinstance(value, list) else "",
)
def test_wrong_arguments_are_refused_at_once(weclick, tmp_path, arguments, status, words):
    weclick(*arguments).refused_at_once(*words, status=status)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "range_"),
    [
        ("data.clips.neighbours=-1", "at least 0"),
        ("data.clips.stride=0", "at least 1"),
        ("data.batch_size=0", "at least 1"),
        ("data.workers=-2", "at least 0"),
        ("data.size=[-3,4]", "at least 1"),
        ("data.size=[1000000,1000000]", "at most 67108864 pixels"),
        ("data.draws.scale=[0.0,1.0]", "above 0"),
        ("data.draws.scale=[1.5,1.0]", "smallest and largest"),
        ("data.draws.crop=[50,64]", "multiples of 32"),
        ("data.draws.flip=1.5", "from 0 to 1"),
        ("data.clicks.min_area=0", "at least 1"),
        ("data.draws.carried=true", "set data.draws.unlabelled"),
        ("data.clicks.radius=-1", "at least 0"),
        ("student.optimiser.warmup=7", "from 0 to 1"),
        ("student.optimiser.ema=-0.1", "from 0 to 1"),
        ("student.terms.kd.temperature=0", "above 0"),
        ("student.terms.kd.weight=-1", "at least 0"),
        ("student.optimiser.learning_rate=-1", "above 0"),
        ("teacher.optimiser.learning_rate=.nan", "above 0"),
        ("teacher.network.width=0", "at least 1"),
        ("trainer.max_epochs=0", "at least 1"),
        ("trainer.max_epochs=-1", "at least 1"),
        ("trainer.max_epochs=null", "at least 1"),
        ("trainer.accumulate_grad_batches=0", "at least 1"),
        ("trainer.check_val_every_n_epoch=0", "at least 1"),
        ("teacher_epochs=0", "at least 1"),
        ("seed=-1", "from 0"),
    ],
)
def test_values_out_of_range_are_refused_at_once(fit, tmp_path, option, range_):
    fit(f"--{option}").refused_at_once(option.partition("=")[0], range_)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("network.name=unet17", ["unknown network 'unet17'"]),
        ("network.encoder=resnet9", ["'resnet9'"]),
        ("network.strides=[4,7]", ["[4, 7]"]),
    ],
)
def test_students_that_cannot_be_built_are_refused_before_a_teacher_is_trained(fit, tmp_path, option, words):
    fit(f"--student.{option}").refused_at_once(*words)
    assert not (tmp_path / "runs").exists()


def test_an_unknown_flow_is_refused_before_a_teacher_is_trained(fit, tmp_path):
    fit("--memory.flow=lucas").refused_at_once("unknown flow 'lucas'", "dis")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", ["accelerator=nonsense", "devices=0", "strategy=nonsense"])
def test_what_lightning_refuses_is_refused_at_once(fit, tmp_path, option):
    fit(f"--trainer.{option}").refused_at_once(*option.split("="), "trainer")
    assert not (tmp_path / "runs").exists()


def test_a_device_that_is_not_there_is_refused_when_testing_too(weclick, trained):
    weclick("test", "--runs", trained, "--trainer.accelerator=nonsense").refused("accelerator", "nonsense")


def test_every_command_has_a_help(weclick):
    for command in COMMANDS:
        result = weclick(command, "--help")
        assert result.status == 0
        assert "usage:" in result.out


@pytest.mark.parametrize("command", ["test", "validate", "memory", "export"])
def test_commands_on_a_run_show_their_own_options_alone(weclick, command):
    text = " ".join(weclick(command, "--help").done().out.split())
    assert "--run RUN" in text
    assert "--teacher." not in text and "--data.root ROOT" not in text
    assert "`weclick fit --help all` lists them" in text


def test_debug_shows_the_traceback(weclick):
    with pytest.raises(Exception, match="missing"):
        weclick("fit", "--data.root", "missing", "--debug")


@pytest.mark.parametrize(
    ("text", "words", "status"),
    [
        ("data: [1, 2", ["bad.yaml"], 1),
        ("paint: 1\n", ["paint"], 2),
        ("data:\n  root: x\n  batch_sise: 2\n", ["batch_sise"], 2),
        ("data:\n  root: x\n  batch_size: many\n", ["data.batch_size: expected a whole number; found many"], 2),
        ("batch_size: 2\ndata:\n  root: x\n", ["'batch_size'", "did you mean data.batch_size?"], 2),
        (
            "learning_rate: 0.1\ndata:\n  root: x\n",
            ["did you mean teacher.optimiser.learning_rate or student.optimiser.learning_rate?"],
            2,
        ),
        ("data:\n  root: x\n  init_args:\n    batch_size: 2\n", ["'data'", "init_args.batch_size"], 2),
        ("data: data/gone.yaml\n", ["data/gone.yaml (named in bad.yaml) not found; looked in data, configs/data, "], 1),
        ("", ["bad.yaml holds no settings"], 1),
        ("what to buy: 3 apples\n", ["bad.yaml holds 'what to buy', which is no option"], 1),
        ("data: {root: x}\ntrainer: 3\n", ["trainer must be options by name, found 3"], 1),
    ],
    ids=[
        "no YAML",
        "unknown key",
        "unknown key in a group",
        "wrong type",
        "trap 8, no group",
        "trap 8, one of two groups",
        "trap 8, init_args",
        "part",
        "empty",
        "a list of things",
        "a number for a group",
    ],
)
def test_bad_configs_are_refused(weclick, tmp_path, text, words, status):
    (tmp_path / "bad.yaml").write_text(text)
    weclick("fit", "--config", "bad.yaml").refused_at_once(*words, status=status)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize("option", ["--config", "--data"])
def test_a_film_is_no_config(weclick, tmp_path, option):
    (tmp_path / "film.mp4").write_bytes(bytes(range(256)))
    weclick("fit", option, "film.mp4").refused_at_once("config film.mp4 cannot be read as YAML")


@pytest.mark.parametrize("command", [["fit", "--resume"], ["test", "--run"]])
@pytest.mark.parametrize("text", ["a: &a\n  b: *a", "[" * 500, "seed: 1\n  arm: kd"], ids=["aliases", "deep", "wrong"])
def test_a_run_whose_config_cannot_be_read_is_refused_by_file(weclick, tmp_path, command, text):
    (tmp_path / "runs" / "given").mkdir(parents=True)
    (tmp_path / "runs" / "given" / "config.yaml").write_text(text)
    weclick(*command, "given").refused_at_once("config runs/given/config.yaml cannot be read as YAML: ")


@pytest.mark.parametrize("allocate", [np.empty, torch.empty, lambda count: cv2.resize(PIXEL, (1 << 20, 1 << 20))])
def test_sizes_no_memory_can_hold_are_refused(fit, monkeypatch, allocate):
    monkeypatch.setattr("weclick.cli.fit_run.fit", lambda *arguments: allocate(1 << 50))
    fit().refused("not enough memory", "smaller --data.batch_size", "resume with weclick fit --resume runs/")


def test_shards_must_make_sense(fit, tmp_path):
    fit("--stage", "memory", "--shard", "2/2").refused_at_once("--shard must be i/n", "0/4", "found 2/2")
    fit("--shard", "0/2").refused_at_once("--shard", "--stage memory")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--trainer.limit_train_batches=0", ["limit_train_batches 0", "at least 1"]),
        ("--trainer.limit_train_batches=0.0", ["limit_train_batches 0", "at least 1"]),
        ("--trainer.precision=bf16-true", ["precision bf16-true", "bf16-mixed"]),
    ],
)
def test_trainers_that_train_nothing_or_in_another_type_are_refused(fit, tmp_path, option, words):
    fit(option).refused_at_once(*words)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["ablate", "budget"])
@pytest.mark.parametrize("option", ["--arm", "--seed"])
def test_a_comparison_sets_arm_and_seed_itself(weclick, synthetic_root, command, option):
    weclick(command, "--data.root", synthetic_root, option, "kd").refused_at_once(option, f"{option}s")


def test_a_resumed_run_writes_down_what_it_goes_on_with(fit, trained, tmp_path):
    run = shutil.copytree(trained / "done", tmp_path / "runs" / "copy")
    before = (run / "config.yaml").read_bytes()
    fit("--resume", "copy", "--student.optimiser.learning_rate", "0.02").refused(
        "student", "student.optimiser.learning_rate"
    )
    assert (run / "config.yaml").read_bytes() == before
    shutil.rmtree(run / "student")
    fit("--resume", "copy", "--student.optimiser.learning_rate", "0.02").done()
    assert yaml.safe_load((run / "config.yaml").read_text())["student"]["optimiser"]["learning_rate"] == 0.02


@pytest.mark.parametrize("name", ["../out", "a/b", "a/", "..", ".hidden", "/out", "", "a\tb"])
@pytest.mark.parametrize("command", ["fit", "ablate"])
def test_a_run_has_a_plain_name(weclick, synthetic_root, tmp_path, command, name):
    options = ("--data.root", synthetic_root, *TINY, "--runs", "here/runs", "--name", name)
    shown = f"--name {' '.join(name.split())}".strip()
    weclick(command, *options).refused_at_once(shown, "plain folder name", "--runs")
    assert not list(tmp_path.iterdir())


def test_the_next_command_can_be_copied(fit, weclick, tmp_path, monkeypatch):
    monkeypatch.setattr("weclick.cli.fit_run.fit", lambda *arguments: None)
    command = fit("--name", "Lauf Ü 1").done().out.partition("next: weclick ")[2]
    assert shlex.split(command)[-1] == "runs/Lauf Ü 1"
    line = fit("--name", "Lauf Ü 1").refused_at_once("exists")
    assert "--resume 'Lauf Ü 1'," in line


def test_a_run_without_its_config_is_told_from_none(weclick, tmp_path):
    (tmp_path / "runs" / "half" / "student").mkdir(parents=True)
    for name in ("half", "runs/half"):
        weclick("test", "--run", name).refused_at_once("runs/half is not a run: it has no config.yaml")
    weclick("test", "--run", "missing").refused_at_once("no run 'missing' here or in runs/", "has: none")


def test_an_existing_run_is_not_overwritten(fit, trained):
    before = (trained / "done" / "config.yaml").read_bytes()
    fit("--name", "done", "--runs", trained, "--seed", "5").refused_at_once("done", "--resume")
    assert (trained / "done" / "config.yaml").read_bytes() == before


def test_a_second_process_on_the_same_run_is_refused(fit, trained):
    with Run(trained / "done").locked():
        fit("--resume", "done", "--runs", trained).refused_at_once("another process", "done")


def test_an_unwritable_runs_folder_is_refused(fit, tmp_path):
    (tmp_path / "file").write_text("")
    fit("--runs", "file/runs").refused_at_once("file/runs", "--runs")


def test_a_changed_setting_of_a_finished_stage_is_refused(fit, trained):
    fit("--resume", "done", "--runs", trained, "--teacher.optimiser.learning_rate=0.5").refused("teacher", "delete")
    fit("--resume", "done", "--runs", trained, "--student.terms.kd.temperature=3.0").refused("student", "delete")


def test_a_memory_without_its_teacher_is_refused(fit):
    fit("--name", "new", "--stage", "memory").refused("teacher", "--stage teacher")
    fit("--name", "new", "--stage", "student").refused("memory", "--stage memory")
    fit("--name", "new", "--stage", "teacher", "--arm", "full").refused("full", "no teacher stage")


def test_settings_are_kept_once_something_was_made_with_them(fit, tmp_path, monkeypatch):
    monkeypatch.setattr("weclick.cli.fit_run.fit", lambda *arguments: None)
    fit("--name", "run").done()
    run = tmp_path / "runs" / "run"

    def train_and_refuse(settings, run, stages, shard):
        write_text(run.checkpoint("student", "last"), "five epochs")
        raise DataError("too many damaged frames")

    monkeypatch.setattr("weclick.cli.fit_run.fit", train_and_refuse)
    fit("--resume", "run", "--student.optimiser.learning_rate=0.0002").refused("too many")
    assert yaml.safe_load((run / "config.yaml").read_text())["student"]["optimiser"]["learning_rate"] == 0.0002


def test_parts_of_a_memory_keep_their_devices_to_themselves(fit, tmp_path, monkeypatch):
    monkeypatch.setattr("weclick.cli.fit_run.fit", lambda *arguments: None)
    fit("--name", "run").done()
    before = (tmp_path / "runs" / "run" / "config.yaml").read_bytes()
    fit("--resume", "run", "--stage", "memory", "--shard", "0/2", "--data.workers=1").done()
    assert (tmp_path / "runs" / "run" / "config.yaml").read_bytes() == before


def test_a_refused_run_leaves_its_name_free(fit, tmp_path):
    for _ in range(2):
        fit("--arm", "clicks", "--name", "new", "--data.clicks.store=none.sqlite").refused("none.sqlite")
    assert not (tmp_path / "runs" / "new").exists()


def test_a_refusal_removes_nothing_that_was_there_before(fit, tmp_path):
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "notes.txt").write_text("keep")
    fit("--arm", "clicks", "--name", "mine", "--data.clicks.store=none.sqlite").refused("none.sqlite")
    assert (tmp_path / "runs" / "mine" / "notes.txt").read_text() == "keep"


def test_a_refusal_keeps_what_took_work(fit, tmp_path, monkeypatch):
    def train_and_refuse(settings, run, stages, shard):
        write_text(run.checkpoint("teacher", "last"), "five epochs")
        raise DataError("too many damaged frames")

    monkeypatch.setattr("weclick.cli.fit_run.fit", train_and_refuse)
    for option in ("--name", "--resume"):
        fit(option, "run").refused("too many")
        assert (tmp_path / "runs" / "run" / "teacher" / "last.ckpt").exists()


# Checkpoints


def test_a_student_is_no_teacher(fit, trained, tmp_path):
    student = trained / "done" / "student" / "last.ckpt"
    fit("--teacher_checkpoint", student).refused_at_once("student checkpoint", "teacher", student)
    assert not (tmp_path / "runs").exists()


def test_a_named_stage_must_be_that_of_the_checkpoint(weclick, trained):
    teacher = trained / "done" / "teacher" / "last.ckpt"
    weclick("validate", "--ckpt_path", teacher, "--stage", "student").refused("teacher checkpoint", "student", teacher)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "pickle", "foreign"])
def test_damaged_and_foreign_checkpoints_are_refused(fit, trained, tmp_path, damage):
    sound = (trained / "done" / "teacher" / "last.ckpt").read_bytes()
    path = tmp_path / "bad.ckpt"
    path.write_bytes({"cut": sound[: len(sound) // 2], "text": b"no checkpoint"}.get(damage, b""))
    if damage in ("pickle", "foreign"):
        torch.save(ValueError("code") if damage == "pickle" else {"state_dict": {}}, path)
    fit("--teacher_checkpoint", path).refused_at_once("bad.ckpt")
    assert not (tmp_path / "runs").exists()


def test_a_damaged_last_checkpoint_is_refused_on_resume(fit, trained, tmp_path):
    shutil.copytree(trained / "done", tmp_path / "runs" / "copy")
    for stage in ("teacher", "student"):
        (tmp_path / "runs" / "copy" / stage / "done.json").unlink()
        (tmp_path / "runs" / "copy" / stage / "last.ckpt").write_bytes(b"cut")
    fit("--resume", "copy").refused("teacher/last.ckpt is damaged", "delete", "teacher to train it again")


@pytest.mark.parametrize("loss", ["missing", "damaged"])
def test_fit_and_test_say_the_same_of_a_lost_student(fit, weclick, trained, tmp_path, loss):
    shutil.copytree(trained / "done", tmp_path / "runs" / "copy")
    student = Path("runs/copy/student")
    (student / "last.ckpt").write_bytes(b"")
    if loss == "missing":
        (student / "last.ckpt").unlink()
    message = f"{student}/last.ckpt is {loss}"
    weclick("test").refused_at_once(message, f"--ckpt_path {student}/best.ckpt", f"delete {student} and train it again")
    fit("--resume", "copy").refused(message, f"delete {student} to train it again")


def test_trap_1_a_teachers_checkpoint_in_the_place_of_the_students_is_refused(fit, trained, tmp_path):
    run = shutil.copytree(trained / "done", tmp_path / "runs" / "copy")
    (run / "student" / "done.json").unlink()
    before = shutil.copy(run / "teacher" / "last.ckpt", run / "student" / "last.ckpt").read_bytes()
    fit("--resume", "copy").refused("student/last.ckpt", "is a teacher checkpoint", "student checkpoint is needed")
    assert (run / "student" / "last.ckpt").read_bytes() == before
    assert not (run / "student" / "done.json").exists()


def test_another_data_sets_checkpoint_is_refused(fit, weclick, trained, folder_root, tmp_path):
    teacher = trained / "done" / "teacher" / "last.ckpt"
    fit("--data.root", folder_root, "--teacher_checkpoint", teacher).refused_at_once("19 classes", "2")
    assert not (tmp_path / "runs").exists()
    weclick("test", "--run", trained / "done", "--data.root", folder_root).refused("19 classes", "2")


# Data


@pytest.fixture
def folder(tmp_path):
    """Write a folder data set: masks of chosen videos, frames of any number."""

    def write(frames=2, masks=("a", "b"), classes="[ground, car]"):
        root = tmp_path / "set"
        rng = np.random.default_rng(0)
        for video in ("a", "b"):
            for kind in ("frames", "masks") if video in masks else ("frames",):
                (root / kind / video).mkdir(parents=True)
            for number in range(frames):
                image = rng.integers(0, 255, (64, 128, 3), np.uint8)
                cv2.imwrite(str(root / "frames" / video / f"{number}.png"), image)
                if video in masks:
                    cv2.imwrite(str(root / "masks" / video / f"{number}.png"), (image[..., 0] > 127).astype(np.uint8))
        (root / "classes.yaml").write_text(classes)
        (root / "splits.yaml").write_text("{train: [a], val: [b]}")
        return root

    return write


def test_neither_clicks_nor_masks_is_refused(fit, folder):
    fit("--data.root", folder(masks=()), "--name", "run").refused("click")


def test_a_missing_click_store_is_refused(fit):
    fit("--data.clicks.store", "missing.sqlite").refused("missing.sqlite")


def test_training_without_validation_masks_keeps_the_last_as_best(fit, weclick, folder, tmp_path):
    fit("--data.root", folder(masks=("a",)), "--arm", "full", "--name", "run").done()
    student = tmp_path / "runs" / "run" / "student"
    assert (student / "best.ckpt").read_bytes() == (student / "last.ckpt").read_bytes()
    weclick("test").refused_at_once("val", "no masks", "weclick predict")


@pytest.mark.parametrize("command", ["ablate", "budget"])
def test_a_comparison_without_masks_to_evaluate_with_is_refused_before_training(weclick, folder, tmp_path, command):
    options = ("--data.root", folder(masks=("a",)), *TINY, "--arms", "clicks", "--name", "compared")
    weclick(command, *options).refused("arm clicks, seed 0", "val split", "no masks")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("masks", "options", "command"),
    [
        (("a", "b"), (), "weclick test --run 'runs/Lauf 1'"),
        (("a",), (), "weclick predict --run 'runs/Lauf 1' --source VIDEO"),
        (("a", "b"), ("--stage", "teacher"), "weclick fit --resume 'runs/Lauf 1'"),
        (("a",), ("--stage", "memory"), "weclick fit --resume 'runs/Lauf 1'"),
    ],
)
def test_fit_names_the_command_that_can_come_next(fit, folder, monkeypatch, masks, options, command):
    monkeypatch.setattr("weclick.cli.fit_run.fit", lambda *arguments: None)
    result = fit("--data.root", folder(masks=masks), "--name", "Lauf 1", *options).done()
    assert result.out.splitlines()[-1] == f"next: {command}"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "weclick: interrupted; resume with weclick fit --resume runs/run"),
        (
            Interrupted(signal.SIGTERM),
            143,
            "weclick: stopped by SIGTERM; everything is saved; resume with weclick fit --resume runs/run",
        ),
    ],
)
def test_an_interruption_names_the_command_that_resumes(fit, monkeypatch, error, status, message):
    monkeypatch.setattr("weclick.cli.fit_run.fit", Mock(side_effect=error))
    result = fit("--name", "run")
    assert (result.status, result.err.splitlines()[-1]) == (status, message)


@pytest.mark.slow
def test_one_frame_is_enough_to_train(fit, folder):
    fit("--data.root", folder(frames=1)).done()


@pytest.mark.slow
def test_one_class_is_enough_to_train(fit, weclick, folder):
    root = folder(classes="[ground]")
    for mask in root.glob("masks/*/*.png"):
        cv2.imwrite(str(mask), np.zeros((64, 128), np.uint8))
    fit("--data.root", root, "--arm", "clicks").done()
    weclick("test").done()


@pytest.mark.parametrize(
    ("option", "successor"),
    [
        ("--data.click_radius=3", "data.click_radius is now data.clicks.radius"),
        ("--data.clicks=x.sqlite", "data.clicks is now data.clicks.store"),
        ("--data.max_damaged=0.2", "data.max_damaged is no longer an option; leave it out"),
        ("--student.kd_weight=2", "student.kd_weight is now student.terms.kd.weight"),
        ("--teacher.network=fpn", "teacher.network is now teacher.network.name"),
        ("--student.learning_rate=1", "student.learning_rate is now student.optimiser.learning_rate"),
    ],
)
def test_an_option_of_an_earlier_version_is_refused_with_its_successor(fit, option, successor):
    fit(option).refused_at_once(successor, status=2)


def test_every_named_successor_is_an_option():
    made = ArgumentParser(exit_on_error=False)
    add_settings(made)
    options = set(made.get_defaults().keys(branches=True))
    assert {new for new in RENAMED.values() if new} <= options


def test_a_config_of_an_earlier_version_is_refused_with_the_successor(fit, tmp_path):
    (tmp_path / "old.yaml").write_text("student: {kd_weight: 1.0}\n", encoding="utf-8")
    fit("--config", tmp_path / "old.yaml").refused_at_once("student.terms.kd.weight", status=2)
