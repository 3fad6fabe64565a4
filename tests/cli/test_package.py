"""`weclick package`: a folder to publish, whole or not at all."""

import io
import json
import os
import shutil
from contextlib import redirect_stdout

import cv2
import numpy as np
import pytest
import yaml

from weclick import load
from weclick.cli.main import run
from weclick.errors import CheckpointError
from weclick.inference.opening import open_model
from weclick.pipeline import package as packaging
from weclick.pipeline.export import Exported

FILES = {"README.md", "config.json", "model.safetensors", "requirements.txt", "student.onnx", "student-openvino.xml"}


SLIM = shutil.ignore_patterns("memory", "teacher", "package", "test")


def quick(model, card, folder, formats, **options):
    """Write exported files that hold nothing, as the real ones take seconds."""
    for made in formats:
        (folder / made.file).write_bytes(b"exported")
        yield Exported(folder / made.file, made.name, 1.0, 16, True, 0.5, 0.0)


@pytest.fixture
def runs(trained, tmp_path):
    """A copy of the finished run, without its memory."""
    shutil.copytree(trained, tmp_path / "runs", ignore=SLIM)
    return tmp_path / "runs"


@pytest.fixture
def quick_export(monkeypatch):
    monkeypatch.setattr(packaging, "export", quick)
    monkeypatch.setattr(packaging, "missing", lambda packages: [])


@pytest.fixture(scope="module")
def packaged(trained, tmp_path_factory):
    """A published folder made of the finished run, and what was printed; only to be read."""
    place, printed = tmp_path_factory.mktemp("packaged"), io.StringIO()
    folder = place / "model"
    runs = shutil.copytree(trained, place / "runs", ignore=SLIM)  # other tests may have tested it
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(packaging, "export", quick)
        patch.setattr(packaging, "missing", lambda packages: [])
        assert run(["package", "--runs", str(runs), "--out", str(folder)]) == 0
    return folder, printed.getvalue()


def front_matter(folder):
    """Return the front matter of the model card, and the text after it."""
    _, header, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(header), text


def left(folder):
    """Return what lies in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_the_card_says_what_the_model_is(packaged, synthetic_root):
    folder, printed = packaged
    assert set(left(folder)) == FILES
    assert {(folder / name).stat().st_mode for name in FILES} == {(folder / "README.md").stat().st_mode}
    header, text = front_matter(folder)
    model = open_model(folder)
    assert header["classes"] == list(model.classes.names)
    assert (header["license"], header["library_name"]) == ("other", "weclick")
    for words in (
        "**Not tested.**",
        synthetic_root.name,
        "simulated from masks",
        "Not stated yet",
        "128x64",
        "`weclick`",
    ):
        assert words in text
    assert "Time spent clicking" not in text  # nobody clicked
    assert f"weclick.load({str(folder)!r})" in printed
    assert "state its licence in README.md, then upload it" in printed
    for name in FILES - {"model.safetensors"}:
        assert str(synthetic_root.parent) not in (folder / name).read_text(encoding="utf-8")


def test_a_packaged_model_labels_as_the_run_does(packaged, trained):
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    expected = load("done", runs=trained, device="cpu").predict(image)
    found = load(packaged[0], device="cpu").predict(image)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_a_packaged_model_stands_in_for_a_checkpoint(weclick, packaged, tmp_path):
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "0.png"), np.zeros((64, 128, 3), np.uint8))
    weclick("predict", "--ckpt_path", packaged[0], "--source", "frames").done()
    assert (tmp_path / "predictions" / "labels" / "0.png").exists()
    weclick("export", "--ckpt_path", packaged[0]).refused("exported already", packaged[0], ".ckpt")


def metrics(path, **changes):
    """Write results of a test."""
    found = {
        **{"miou": 0.5, "accuracy": 0.75, "iou": dict.fromkeys(open_model(path).classes.names, 0.25)},
        **{"measured_with": "masks", "class_accuracy": {}, "clicks": None, "temporal_consistency": None, "speed": None},
        "evaluated": {"checkpoint": "/home/me/student/best.ckpt", "split": "test", "frames": 7, "date": "2026-01-01"},
        **changes,
    }
    folder = path.parents[1] / "test"
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(found), encoding="utf-8")
    return folder / "metrics.json"


def test_the_card_states_the_results_of_the_test_and_the_licence(weclick, runs, quick_export):
    speed = {"fps": 12.34, "ms": 81.0, "size": [64, 128], "precision": "fp32", "device": "some CPU"}
    metrics(runs / "done" / "student" / "last.ckpt", speed=speed, temporal_consistency={"masked": 0.625})
    weclick("package", "--licence", "cc-by-4.0").done()
    header, text = front_matter(runs / "done" / "package")
    assert header["license"] == "cc-by-4.0"
    for words in (
        "7 frames of the test split",
        "mIoU: 50.00 %",
        "25.00",
        "62.50 %",
        "12.3 frames per second",
        "some CPU",
    ):
        assert words in text
    assert "`best.ckpt`; published here is `last.ckpt` of the same training, which was not tested itself" in text
    assert "/home/me" not in text
    assert "Not tested" not in text
    assert "Not stated" not in text


def test_results_that_are_damaged_or_of_an_earlier_student_are_refused(weclick, runs, quick_export):
    path = metrics(runs / "done" / "student" / "last.ckpt")
    path.write_text("{}")
    weclick("package").refused_at_once("metrics.json is damaged", "weclick test")
    os.utime(path, (0, 0))
    weclick("package").refused_at_once("metrics.json is older than the student", "weclick test")
    assert not (runs / "done" / "package").exists()


def test_a_package_is_replaced_only_if_nothing_would_be_lost(weclick, runs, packaged, quick_export):
    folder = shutil.copytree(packaged[0], runs / "done" / "package")
    weclick("package", "--licence", "mit").done()
    assert front_matter(folder)[0]["license"] == "mit"
    (folder / "README.md").write_text("mine")
    weclick("package").refused("README.md was added or changed since", "--out")
    assert (folder / "README.md").read_text() == "mine"
    assert left(runs / "done").count("package") == 1


def test_a_folder_of_something_else_is_refused_before_anything_is_made(weclick, runs, quick_export, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    for place in ("mine", "file/inside"):
        weclick("package", "--out", place).refused_at_once(place)
    assert left(tmp_path / "mine") == ["notes.txt"]
    assert left(tmp_path) == ["file", "mine", "runs"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_refused(weclick, runs, quick_export, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    weclick("package", "--out", "locked/model").refused("locked/model", "cannot be written")


@pytest.mark.parametrize(
    ("place", "stop", "status"),
    [("new", KeyboardInterrupt(), 130), ("earlier", OSError(28, "No space left on device"), 1)],
)
def test_what_is_interrupted_changes_nothing(
    weclick, runs, packaged, quick_export, monkeypatch, tmp_path, place, stop, status
):
    shutil.copytree(packaged[0], tmp_path / "earlier")

    def fail(*arguments):
        raise stop

    monkeypatch.setattr(packaging, "write_config", fail)
    assert weclick("package", "--out", place, "--licence", "mit").status == status
    assert left(tmp_path) == ["earlier", "runs"]
    assert (tmp_path / "earlier" / "README.md").read_text() == (packaged[0] / "README.md").read_text()


def test_a_killed_package_leaves_nothing_that_loads(weclick, runs, quick_export, monkeypatch, tmp_path):
    monkeypatch.setattr(packaging, "write_config", lambda made, checkpoint: shutil.copytree(made, tmp_path / "rest"))
    weclick("package", "--out", "new").done()
    assert (tmp_path / "rest" / "README.md").exists()
    for opening in (open_model, load):
        with pytest.raises(CheckpointError, match=r"it has no config\.json"):
            opening(tmp_path / "rest")


def test_runs_without_a_finished_student_are_refused(weclick, runs, quick_export):
    (runs / "done" / "student" / "done.json").unlink()
    weclick("package", "done").refused("no finished student", "weclick fit --resume")
    weclick("package").refused_at_once("no run in runs/ has a finished student")
    assert "package" not in left(runs / "done")


def test_data_that_is_named_must_be_there(weclick, runs, quick_export):
    weclick("package", "--data.root", "nowhere").refused("data folder nowhere is missing")


@pytest.mark.slow
@pytest.mark.engines
def test_what_is_packaged_runs(weclick, runs, tmp_path):
    weclick("package", "--out", "published").done()
    assert set(left(tmp_path / "published")) == FILES | {"student-openvino.bin"}
    assert "100.000% of pixels as in PyTorch" in front_matter(tmp_path / "published")[1]
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    expected = open_model(tmp_path / "published", device="cpu").labels(image)
    for name in ("student.onnx", "student-openvino.xml"):
        assert (open_model(tmp_path / "published" / name).labels(image) == expected).mean() > 0.999
