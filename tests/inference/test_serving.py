"""Exported models are used with the few packages of requirements.txt, and label as they do beside PyTorch."""

import subprocess
import sys
from importlib import resources

import cv2
import numpy as np
import pytest

from weclick.errors import CheckpointError
from weclick.inference import opening
from weclick.inference.card import Card
from weclick.inference.checkpoint import write_weights
from weclick.inference.convert import to_onnx, write_model
from weclick.inference.formats import FORMATS
from weclick.inference.opening import open_model
from weclick.inference.predict import predict
from weclick.inference.published import REQUIREMENTS, WEIGHTS
from weclick.inference.published_weights import write_config
from weclick.inference.sources import VideoFile
from weclick.inference.writer import VideoWriter

from .conftest import CLASSES, SIZE

pytestmark = pytest.mark.engines

ONNX = FORMATS["onnx"].file

# Hides every package that neither requirements.txt names nor one of those requires.
PRELUDE = """
import sys
from importlib.metadata import packages_distributions, requires
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

waiting, kept = [Requirement(line.strip()) for line in open(sys.argv[1]) if line.strip() and line[0] != "#"], set()
while waiting:
    needed = waiting.pop()
    if canonicalize_name(needed.name) not in kept:
        kept.add(canonicalize_name(needed.name))
        inner = map(Requirement, requires(needed.name) or [])
        waiting += [r for r in inner if not r.marker or any(r.marker.evaluate({"extra": e}) for e in ("", *needed.extras))]
for name, distributions in packages_distributions().items():
    if name not in ("weclick", *sys.stdlib_module_names) and not kept & set(map(canonicalize_name, distributions)):
        sys.modules[name] = None
for name in ("torch", "lightning", "torchvision", "kornia", "albumentations", "timm", "segmentation_models_pytorch", "wandb"):
    assert sys.modules[name] is None
"""
PREDICT = "from weclick.cli.main import run; sys.exit(run(sys.argv[2:]))"
LOAD = """
import json, cv2, numpy, weclick
result = weclick.load(sys.argv[2]).predict(cv2.cvtColor(cv2.imread(sys.argv[3]), cv2.COLOR_BGR2RGB))
numpy.savez(sys.argv[4], labels=result.labels, probabilities=result.probabilities, overlay=result.overlay())
"""


@pytest.fixture(scope="module")
def served(model, checkpoint, tmp_path_factory):
    """The small student as a published folder with its ONNX file."""
    folder = tmp_path_factory.mktemp("served") / "model"
    folder.mkdir()
    write_weights(folder / WEIGHTS, model.network)
    write_model(to_onnx(model.network, SIZE), Card(CLASSES, SIZE), folder / ONNX)
    write_config(folder, checkpoint)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A short video of moving noise, of another shape than the model's input."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = cv2.resize(np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8), (160, 120))
    with VideoWriter(path, 10) as video:
        for shift in range(5):
            video.write(np.roll(picture, 8 * shift, 1))
    return path


def without_torch(program, *arguments):
    """Run a program with the packages of requirements.txt alone."""
    needed = str(resources.files("weclick.inference").joinpath(REQUIREMENTS))
    command = [sys.executable, "-c", PRELUDE + program, needed, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("smooth", [0, 0.5])
def test_predict_without_torch_equals_predict_with_it(served, film, tmp_path, smooth):
    arguments = ("--ckpt_path", served / ONNX, "--source", film, "--out", tmp_path / "lean", "--smooth", smooth)
    done = without_torch(PREDICT, "predict", *arguments)
    assert done.returncode == 0, done.stderr
    assert "5 frames" in done.stdout
    predict(open_model(served / ONNX), film, tmp_path / "full", smooth=smooth)
    labels = [
        {path.name: path.read_bytes() for path in (tmp_path / kind / "labels").iterdir()} for kind in ("lean", "full")
    ]
    assert len(labels[0]) == 5
    assert labels[0] == labels[1]
    assert len(list(VideoFile(tmp_path / "lean" / "overlay.mp4"))) == 5


def test_a_published_folder_runs_without_torch(served, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "frame.png"), image[..., ::-1])
    done = without_torch(LOAD, served, tmp_path / "frame.png", tmp_path / "result.npz")
    assert done.returncode == 0, done.stderr
    found, expected = np.load(tmp_path / "result.npz"), open_model(served / ONNX).predict(image)
    np.testing.assert_array_equal(found["labels"], expected.labels)
    np.testing.assert_array_equal(found["probabilities"], expected.probabilities)
    np.testing.assert_array_equal(found["overlay"], expected.overlay())


def test_what_needs_torch_says_so_without_it(served, checkpoint, film):
    done = without_torch(PREDICT, "predict", "--ckpt_path", checkpoint, "--source", film)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"weclick: {checkpoint} needs PyTorch, which is not installed; name an exported model"
    )
    done = without_torch(PREDICT, "predict", "--source", film)
    assert done.returncode == 1
    assert "is not installed" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_of_a_published_folder_torch_runs_the_weights(served, model):
    image = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
    opened = open_model(served, device="cpu")
    np.testing.assert_array_equal(opened.labels(image), model.labels(image))
    assert (open_model(served / ONNX).labels(image) == model.labels(image)).mean() > 0.999


def test_a_damaged_onnx_file_of_a_published_folder_is_refused(served, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "missing", lambda packages: packages)
    for file in served.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert open_model(tmp_path).stage == "student"
    (tmp_path / ONNX).write_bytes((served / ONNX).read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=f"{ONNX} is damaged or of another model"):
        open_model(tmp_path)
    (tmp_path / ONNX).unlink()
    with pytest.raises(CheckpointError, match=f"{ONNX} cannot be read"):
        open_model(tmp_path)
