import os
import pickle
import sys
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.classes import ClassSet
from weclick.errors import CheckpointError
from weclick.inference.checkpoint import read_checkpoint
from weclick.modules.checkpoint import load_checkpoint
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule


@pytest.fixture(scope="module")
def files(make_module, make_trainer, tmp_path_factory):
    """An untrained teacher's and an untrained student's checkpoint, as Lightning writes them."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for kind in ("teacher", "student"):
        trainer = make_trainer(folder)
        trainer.strategy.connect(make_module(kind))
        trainer.save_checkpoint(folder / f"{kind}.ckpt")
    return folder


@pytest.mark.parametrize(("stage", "kind"), [("teacher", TeacherModule), ("student", StudentModule)])
def test_promise_7_a_checkpoint_loads_with_weights_only_and_gives_the_same_network(files, make_module, stage, kind):
    path = files / f"{stage}.ckpt"
    torch.load(path, weights_only=True)
    module = load_checkpoint(path, stage=stage)
    assert type(module) is kind
    assert not module.training
    images = torch.rand(1, 3, 32, 64)
    torch.testing.assert_close(module(images), make_module(stage).eval()(images))
    assert module.classes.names == ("road", "car", "sky")
    assert module.hparams["size"] == [32, 64]


def test_loaded_options_are_those_of_the_training(make_module, make_trainer, tmp_path):
    trainer = make_trainer(tmp_path)
    module = make_module(kd={"weight": 0.25, "temperature": 3.0})
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "student.ckpt")
    options = load_checkpoint(tmp_path / "student.ckpt").options
    assert (options.terms, options.optimiser) == (module.options.terms, module.options.optimiser)


def test_loading_needs_neither_pretrained_weights_nor_a_compiler(files, tmp_path):
    checkpoint = torch.load(files / "student.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["options"]["network"] |= {"weights": "imagenet", "compile": True}
    torch.save(checkpoint, tmp_path / "student.ckpt")
    load_checkpoint(tmp_path / "student.ckpt")  # this encoder's weights would have to be downloaded


def test_trap_1_a_teacher_is_refused_where_a_student_is_needed(files):
    with pytest.raises(CheckpointError, match=r"teacher\.ckpt is a teacher checkpoint; a student"):
        load_checkpoint(files / "teacher.ckpt", stage="student")


def test_trap_3_a_student_is_refused_where_a_teacher_is_needed(files):
    with pytest.raises(CheckpointError, match=r"student\.ckpt is a student checkpoint; a teacher"):
        load_checkpoint(files / "student.ckpt", stage="teacher")


def test_other_classes_are_refused_by_name(files):
    other = ClassSet.from_list([{"name": "road"}, {"name": "Haus"}])
    with pytest.raises(CheckpointError, match=r"3 classes \(road, car, sky\), the data set has 2 \(road, Haus\)"):
        load_checkpoint(files / "student.ckpt", classes=other)
    same = ClassSet.from_list([{"name": name} for name in ("road", "car", "sky")])
    load_checkpoint(files / "student.ckpt", classes=same)


def test_the_same_classes_in_another_order_are_other_classes(files):
    with pytest.raises(CheckpointError, match="was trained for"):
        load_checkpoint(
            files / "student.ckpt", classes=ClassSet.from_list([{"name": n} for n in ("car", "road", "sky")])
        )


@pytest.mark.parametrize("url", ["https://example.org/student.ckpt", "s3://bucket/student.ckpt"])
def test_trap_17_a_url_is_refused(url):
    with pytest.raises(CheckpointError, match="is a URL"):
        load_checkpoint(url)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.ckpt not found"):
        load_checkpoint(tmp_path / "none.ckpt")


def test_a_folder_is_refused_with_what_to_name_instead(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder; name a file in it, or name a run with --run"):
        load_checkpoint(tmp_path)


def test_a_refusal_does_not_repeat_torchs_advice(tmp_path):
    (tmp_path / "bad.ckpt").write_bytes(b"no checkpoint at all")
    with pytest.raises(
        CheckpointError,
        match=r"bad\.ckpt is damaged or no checkpoint; copy it again, or name one that weclick fit wrote$",
    ):
        load_checkpoint(tmp_path / "bad.ckpt")


@pytest.mark.parametrize("name", ["student.onnx", "export/student-openvino.xml"])
def test_an_exported_model_is_no_module(name):
    with pytest.raises(CheckpointError, match=rf"{name} is an exported model.*weclick\.open_model$"):
        load_checkpoint(name)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused_in_one_line(files, tmp_path, share):
    raw = (files / "student.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(CheckpointError, match=r"cut\.ckpt is damaged") as refusal:
        load_checkpoint(tmp_path / "cut.ckpt")
    assert "\n" not in str(refusal.value)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=40))
def test_any_other_file_is_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "other.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as refusal:
        read_checkpoint(path)
    assert "\n" not in str(refusal.value)


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_checkpoint_never_runs(tmp_path, writer):
    path, marker = tmp_path / "evil.ckpt", tmp_path / "ran"
    evil = {"weclick_stage": "student", "state_dict": Attack(marker)}
    if writer == "torch":
        torch.save(evil, path)
    else:
        path.write_bytes(pickle.dumps(evil))
    with pytest.raises(CheckpointError, match=r"evil\.ckpt is damaged or no checkpoint"):
        load_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}, {"weclick_stage": "memory"}, [1, 2], torch.zeros(3)])
def test_weights_of_another_program_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="no checkpoint of a weclick teacher or student"):
        load_checkpoint(tmp_path / "other.ckpt")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"sharpness": 2}, r"student\.network\.sharpness is not an option"), ({"width": 0}, r"student\.network\.width")],
)
@pytest.mark.parametrize("maker", ["9.1", None])
def test_options_of_another_version_are_refused_in_one_line(files, tmp_path, options, message, maker):
    checkpoint = torch.load(files / "student.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["options"]["network"] |= options
    checkpoint["weclick_version"] = maker
    if maker is None:
        del checkpoint["weclick_version"]
    torch.save(checkpoint, tmp_path / "student.ckpt")
    with pytest.raises(CheckpointError, match=rf"student\.ckpt .*{message}.*version {maker or 'unknown'}") as refusal:
        load_checkpoint(tmp_path / "student.ckpt")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "damage",
    [
        {"hyper_parameters": 3},
        {"hyper_parameters": {"classes": "road", "size": [32, 64], "options": {"network": {}}}},
        {"hyper_parameters": {"classes": [], "size": [32, 64], "options": {"network": {}}}},
        {"hyper_parameters": {"classes": [{"name": "road"}], "size": 3, "options": {"network": {}}}},
        {"hyper_parameters": {"classes": [{"name": "road"}], "size": [32, 64], "options": {"network": 3}}},
        {"hyper_parameters": {"classes": [{"name": "road"}], "size": [32, 64], "options": [1]}},
        {"state_dict": [1, 2]},
    ],
)
def test_a_checkpoint_whose_parts_are_of_other_types_is_refused_in_one_line(files, tmp_path, damage):
    checkpoint = torch.load(files / "student.ckpt", weights_only=True) | damage
    torch.save(checkpoint, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match=r"odd\.ckpt") as refusal:
        load_checkpoint(tmp_path / "odd.ckpt")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["hyper_parameters", "state_dict"])
def test_a_checkpoint_without_its_parts_is_refused(files, tmp_path, missing):
    checkpoint = torch.load(files / "student.ckpt", weights_only=True)
    del checkpoint[missing]
    torch.save(checkpoint, tmp_path / "student.ckpt")
    with pytest.raises(CheckpointError, match="no checkpoint of a weclick teacher or student"):
        load_checkpoint(tmp_path / "student.ckpt")


def test_weights_that_do_not_fit_are_refused_in_one_line(files, tmp_path):
    checkpoint = torch.load(files / "student.ckpt", weights_only=True)
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name] = torch.zeros(2)
    torch.save(checkpoint, tmp_path / "student.ckpt")
    with pytest.raises(CheckpointError, match="do not fit its network") as refusal:
        load_checkpoint(tmp_path / "student.ckpt")
    assert "\n" not in str(refusal.value)


def test_a_checkpoint_with_ungrouped_options_is_refused_with_what_to_do(files, tmp_path):
    checkpoint = torch.load(files / "student.ckpt", weights_only=True)
    del checkpoint["weclick_class"], checkpoint["hyper_parameters"]["options"]
    checkpoint["hyper_parameters"] |= {"network": "light", "kd_weight": 1.0}
    checkpoint["weclick_version"] = "0.1.0"
    torch.save(checkpoint, tmp_path / "old.ckpt")
    with pytest.raises(CheckpointError, match=r"old\.ckpt .* made by version 0\.1\.0: use that, or train again"):
        load_checkpoint(tmp_path / "old.ckpt")


class Outside(StudentModule):
    """A student class from outside the package."""


def test_the_loaded_class_is_the_saved_one(make_module, make_trainer, tmp_path, monkeypatch):
    trainer, made = make_trainer(tmp_path), make_module()
    module = Outside(made.classes.to_list(), (32, 64), made.options)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "outside.ckpt")
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or SimpleNamespace(Outside=Outside))
    assert type(load_checkpoint(tmp_path / "outside.ckpt")) is Outside


@pytest.mark.parametrize(
    "name", ["subprocess.Popen", "os.system", "weclick.modules.teacher.TeacherModule", "nowhere.X"]
)
def test_a_checkpoint_chooses_no_other_class_and_imports_none(files, tmp_path, name):
    checkpoint = torch.load(files / "student.ckpt", weights_only=True)
    checkpoint["weclick_class"] = name
    torch.save(checkpoint, tmp_path / "student.ckpt")
    with pytest.raises(CheckpointError, match=r"student\.ckpt .*(is no StudentModule|is not loaded)"):
        load_checkpoint(tmp_path / "student.ckpt")
    assert "nowhere" not in sys.modules
