"""`weclick export`, and its files in the place of a checkpoint."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
import yaml

from weclick.cli.main import run
from weclick.inference.exported import ExportedNetwork
from weclick.inference.formats import FORMATS
from weclick.inference.opening import open_model
from weclick.pipeline import export as exporting

pytestmark = [pytest.mark.slow, pytest.mark.engines]
DOCS = Path(importlib.util.find_spec("weclick").origin).parents[2] / "docs" / "export.md"
FILES = {
    "student.onnx",
    *(f"student-openvino{kind}{suffix}" for kind in ("", "-bf16", "-int8") for suffix in (".xml", ".bin")),
}


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """A copy of the finished run with all its exported files; only to be read."""
    runs = tmp_path_factory.mktemp("exported") / "runs"
    shutil.copytree(trained, runs)
    assert run(["export", "--runs", str(runs), "--max_drop", "100"]) == 0
    return runs / "done"


@pytest.fixture
def copied_run(exported, tmp_path):
    """A copy of the run without exported files."""
    folder = tmp_path / "runs" / "done"
    shutil.copytree(exported, folder, ignore=shutil.ignore_patterns("export"))
    return folder


@pytest.fixture
def graph(exported, monkeypatch):
    """The exported graph, to be spoilt; the exporter will come up with it."""
    model = onnx.load(exported / "export" / "student.onnx")
    monkeypatch.setattr(exporting, "to_onnx", lambda *args, **options: model)
    return model


def spoil(model, value):
    """Set the first class's bias."""
    (bias,) = (part for part in model.graph.initializer if part.name.endswith("classifier.bias"))
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] = value
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))


def test_all_formats_are_written_and_nothing_else(exported, synthetic_root):
    assert {path.name for path in (exported / "export").iterdir()} == FILES
    for made in FORMATS.values():
        card = ExportedNetwork.open(exported / "export" / made.file).card
        assert (card.size, card.output, card.format, card.precision) == ((64, 128), "logits", made.name, made.precision)
        assert (card.run, card.checkpoint) == ("done", "last.ckpt")
        assert 0 <= card.miou < 1
        assert card.parameters > 50_000
        assert "car" in card.classes.names


@pytest.mark.parametrize("name", ["student.onnx", "student-openvino-int8.xml"])
def test_an_exported_file_can_be_tested(weclick, exported, tmp_path, name):
    shutil.copytree(exported, tmp_path / "runs" / "done")
    file = tmp_path / "runs" / "done" / "export" / name
    results = tmp_path / "runs" / "done" / "test" / f"export-{file.name}"
    before = sorted(path for path in (tmp_path / "runs").rglob("*") if results not in path.parents)
    assert str(results / "report.html") in weclick("test", "--ckpt_path", file).done().out.replace("\n", "")
    report = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    after = sorted(path for path in (tmp_path / "runs").rglob("*") if {results} - {path, *path.parents})
    assert [path for path in after if path != results.parent] == [path for path in before if path != results.parent]
    card = ExportedNetwork.open(file).card
    assert f'"parameters": {card.parameters}' in json.dumps(report)
    assert f'"precision": "{card.precision}"' in json.dumps(report)
    result = weclick("validate", "--ckpt_path", file).done()
    assert f"mIoU {100 * card.miou:.1f} %" in result.out


def test_an_exported_file_can_be_tested_at_its_own_size_only(weclick, exported):
    result = weclick("validate", "--ckpt_path", exported / "export" / "student.onnx", "--data.size=[32,64]").done()
    assert "128x64" in result.out


def test_an_exported_file_predicts_outside_of_any_run(weclick, exported, tmp_path):
    for name in ("student-openvino.xml", "student-openvino.bin"):
        shutil.copy(exported / "export" / name, tmp_path)
    (tmp_path / "film").mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):  # twice as high as the model's images, which are twice as wide as high
        cv2.imwrite(str(tmp_path / "film" / f"{number}.png"), rng.integers(0, 256, (128, 128, 3), np.uint8))
    weclick("predict", "--source", "film", "--ckpt_path", "student-openvino.xml", "--out", "out").done()
    labels = cv2.imread(str(tmp_path / "out" / "labels" / "0.png"), cv2.IMREAD_UNCHANGED)
    image = cv2.cvtColor(cv2.imread(str(tmp_path / "film" / "0.png")), cv2.COLOR_BGR2RGB)
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    filled = cv2.copyMakeBorder(small, 0, 0, 0, 64, cv2.BORDER_REPLICATE)
    expected = open_model(tmp_path / "student-openvino.xml").labels(filled)[:, :64]
    np.testing.assert_array_equal(labels, cv2.resize(expected, (128, 128), interpolation=cv2.INTER_NEAREST))


def test_a_lone_checkpoint_is_exported_without_data(weclick, trained, tmp_path):
    shutil.copy(trained / "done" / "student" / "last.ckpt", tmp_path / "mine.ckpt")
    command = ("export", "--ckpt_path", "mine.ckpt", "--size=[50,70]", "--labels=true")
    result = weclick(*command).done()
    assert "openvino-int8 left out: it is calibrated on training images" in result.out
    assert "random pictures" in result.out
    assert {path.name for path in (tmp_path / "export").iterdir()} == {name for name in FILES if "int8" not in name}
    card = ExportedNetwork.open(tmp_path / "export" / "student.onnx").card
    assert (card.size, card.output, card.miou, card.run) == ((50, 70), "labels", None, None)
    weclick(*command, "--formats", "openvino-int8").refused_at_once("openvino-int8", "--data.root")


def test_data_that_has_gone_is_said(weclick, copied_run, graph, tmp_path):
    config = yaml.safe_load((copied_run / "config.yaml").read_text(encoding="utf-8"))
    config["data"]["root"] = "gone"
    (copied_run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    result = weclick("export", "--formats", "onnx").done()
    assert "checked on random pictures (data folder gone is missing" in result.out
    assert "mIoU not measured" in result.out
    assert "warning" not in result.err
    weclick("export", "--formats", "onnx,openvino-int8").refused_at_once("gone", "openvino-int8", "--data.root")


def test_a_data_set_that_is_named_must_be_there(weclick, copied_run):
    weclick("export", "--formats", "onnx", "--data.root", "nowhere").refused_at_once("data folder nowhere is missing")
    assert not (copied_run / "export").exists()


def test_a_file_that_differs_and_no_mask_can_judge_is_warned_about(weclick, copied_run, graph):
    config = yaml.safe_load((copied_run / "config.yaml").read_text(encoding="utf-8"))
    config["data"]["root"] = ""
    (copied_run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    spoil(graph, 1e4)
    result = weclick("export", "--formats", "openvino-bf16").done()
    (line,) = (line for line in result.err.splitlines() if line.startswith("warning: "))
    for words in (
        "openvino-bf16",
        "of the pixels differently from PyTorch",
        "has no mask",
        "weclick predict --ckpt_path",
    ):
        assert words in line
    assert (copied_run / "export" / "student-openvino-bf16.xml").exists()
    assert "97% of the pixels" in " ".join(weclick("export", "--help").done().out.split())


# Refusals


def nothing_is_left(folder):
    return not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_values_that_are_no_numbers_are_refused(weclick, copied_run, graph, name):
    spoil(graph, np.nan)
    weclick("export", "--formats", name).refused("not written", "NaN", FORMATS[name].file)
    assert nothing_is_left(copied_run / "export")


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_model_that_labels_otherwise_than_pytorch_is_refused(weclick, copied_run, graph, name):
    spoil(graph, 1e4)
    weclick("export", "--formats", name).refused("not written", "99.9%", FORMATS[name].file)
    assert nothing_is_left(copied_run / "export")


def test_a_loss_of_quality_is_refused(weclick, copied_run, graph):
    checkpoint = copied_run / "student" / "last.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["network.body.classifier.bias"][0] = 1e4  # sees road everywhere, which is often right
    torch.save(content, checkpoint)
    done = checkpoint.with_name("done.json")
    done.write_text(json.dumps({**json.loads(done.read_text()), "sha256": {}}))  # as if it had been trained so
    spoil(graph, -1e4)  # never sees road
    (copied_run / "export").mkdir()
    for suffix in (".xml", ".bin"):
        (copied_run / "export" / f"student-openvino-bf16{suffix}").write_text("earlier")
    command = ("export", "--formats", "openvino-bf16")
    weclick(*command, "--max_drop", "0.1").refused("mIoU", "--max_drop allows 0.1", "openvino-bf16")
    left = {path.name: path.read_text() for path in (copied_run / "export").iterdir()}
    assert set(left.values()) == {"earlier"}
    assert len(left) == 2
    weclick(*command, "--max_drop", "100").done()
    assert ExportedNetwork.open(copied_run / "export" / "student-openvino-bf16.xml").card.miou is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--formats", "onnx,tensorrt"], ["tensorrt", "openvino-int8"]),
        (["--formats", ""], ["--formats", "onnx"]),
        (["--max_drop=-1"], ["--max_drop"]),
        (["--size=[0,64]"], ["--size"]),
        (["--run", "missing"], ["missing"]),
        (["--ckpt_path", "missing.ckpt"], ["missing.ckpt", "--run"]),
    ],
)
def test_wrong_options_are_refused(weclick, copied_run, arguments, words):
    weclick("export", *arguments).refused_at_once(*words)
    assert not (copied_run / "export").exists()


def test_only_trained_students_are_exported(weclick, exported, trained, folder_root):
    teacher = trained / "done" / "teacher" / "last.ckpt"
    weclick("export", "--ckpt_path", teacher).refused_at_once("teacher checkpoint", "student", teacher)
    file = exported / "export" / "student.onnx"
    weclick("export", "--ckpt_path", file).refused_at_once("exported already", file)
    student = trained / "done" / "student" / "last.ckpt"
    weclick("export", "--ckpt_path", student, "--data.root", folder_root, "--data.layout", "auto").refused(
        "classes", "--data.root"
    )


def test_an_exported_file_is_a_student_of_its_classes(weclick, exported, folder_root):
    file = exported / "export" / "student.onnx"
    weclick("validate", "--ckpt_path", file, "--stage", "teacher").refused("student checkpoint", "teacher", file)
    weclick("validate", "--ckpt_path", file, "--data.root", folder_root, "--data.layout=folder").refused(
        "classes", file
    )


def test_missing_packages_leave_formats_out(weclick, copied_run, graph, monkeypatch):
    real = exporting.missing
    monkeypatch.setattr(
        exporting, "missing", lambda names: [n for n in names if n in ("openvino", "nncf")] or real(names)
    )
    result = weclick("export").done()
    assert "openvino-int8 left out: it needs openvino, nncf; pip install 'weclick[export]'" in result.out
    assert {path.name for path in (copied_run / "export").iterdir()} == {"student.onnx"}
    weclick("export", "--formats", "openvino").refused_at_once("openvino", "weclick[export]")
    monkeypatch.setattr(exporting, "missing", list)
    weclick("export").refused_at_once("cannot be exported", "onnxscript", "weclick[export]")


# The documentation


@pytest.mark.skipif(not DOCS.exists(), reason="documentation lies beside the source only")
@pytest.mark.parametrize("position", [0, 1], ids=["onnxruntime", "openvino"])
def test_examples_of_the_documentation_run(exported, tmp_path, monkeypatch, position):
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 2
    for name in ("student.onnx", "student-openvino.xml", "student-openvino.bin"):
        shutil.copy(exported / "export" / name, tmp_path)
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (128, 64))
    cv2.imwrite(str(tmp_path / "frame.png"), image)
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(compile(examples[position], str(DOCS), "exec"), namespace)
    expected = open_model(tmp_path / "student.onnx").labels(np.ascontiguousarray(image[..., ::-1]))
    assert (namespace["labels"] == expected).mean() > 0.995
    assert torch.tensor(namespace["logits"]).isfinite().all()
