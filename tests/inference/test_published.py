"""A published folder is used like the checkpoint it was made of, and refused when it is not whole."""

import json
import shutil
import sys
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from safetensors.torch import load_file, save_file

from weclick import load
from weclick.errors import CheckpointError
from weclick.files import sha256
from weclick.inference.checkpoint import write_weights
from weclick.inference.opening import open_model
from weclick.inference.published import CONFIG, REQUIREMENTS, SUMS, WEIGHTS, changed_files, is_published
from weclick.inference.published_weights import write_config
from weclick.modules.checkpoint import load_checkpoint

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def published(model, checkpoint, tmp_path):
    """The small student, published without its exported files."""
    folder = tmp_path / "Straße 1"
    folder.mkdir()
    write_weights(folder / WEIGHTS, model.network)
    write_config(folder, checkpoint)
    return folder


def change(folder, **entries):
    """Change entries of the description of a folder."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    (folder / CONFIG).write_text(json.dumps({**config, **entries}), encoding="utf-8")


def replace_weights(folder, weights):
    """Replace the weights, with the right checksum."""
    save_file(weights, folder / WEIGHTS)
    change(folder, **{SUMS: {WEIGHTS: sha256(folder / WEIGHTS, 64)}})


def test_a_published_model_labels_as_its_checkpoint_does(published, checkpoint):
    image = np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8)
    expected = open_model(checkpoint, device="cpu")
    for opened in (open_model(published, device="cpu"), load(published, device="cpu")):
        np.testing.assert_array_equal(opened.labels(image), expected.labels(image))
        assert (opened.classes, opened.size, opened.stage) == (expected.classes, expected.size, "student")
        assert (opened.name, opened.parameters) == (expected.name, expected.parameters)


def test_a_published_model_holds_nothing_of_the_training(published):
    config = json.loads((published / CONFIG).read_text(encoding="utf-8"))
    assert config["hyper_parameters"]["options"].keys() == {"network"}
    assert config["hyper_parameters"]["options"]["network"]["weights"] == "none"
    assert "anything.else" not in load_file(published / WEIGHTS)


def test_another_stage_is_refused(published):
    with pytest.raises(CheckpointError, match="is a student checkpoint; a teacher"):
        open_model(published, stage="teacher")


def test_a_published_model_cannot_be_trained_on(published):
    with pytest.raises(CheckpointError, match="is a folder"):
        load_checkpoint(published)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_missing_file_is_named(published, name):
    (published / name).unlink()
    for opening in (open_model, load):
        with pytest.raises(CheckpointError, match=rf"{name}.*copy"):
            opening(published)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"sha256": 3}', "[" * 100_000, '{"sha256": {}, "x": "' + "y" * (1 << 20) + '"}', "\udcff"],
    ids=["empty", "cut", "list", "no sums", "sums of another kind", "deep", "large", "not UTF-8"],
)
def test_a_damaged_description_is_refused_in_one_line(published, text):
    (published / CONFIG).write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(CheckpointError, match=rf"{CONFIG} is damaged") as refusal:
        open_model(published)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("sums", [{WEIGHTS: "0" * 64}, {WEIGHTS: None}, {}])
def test_weights_of_another_model_are_refused(published, sums):
    change(published, **{SUMS: sums})
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS} is damaged or of another model"):
        open_model(published)


def test_promise_11_a_flipped_byte_in_published_weights_is_noticed(published):
    raw = bytearray((published / WEIGHTS).read_bytes())
    raw[len(raw) // 2] ^= 1
    (published / WEIGHTS).write_bytes(raw)
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS} is damaged or of another model"):
        open_model(published)


def test_a_file_of_another_format_is_refused(published):
    (published / WEIGHTS).write_bytes(b"no tensors")
    change(published, **{SUMS: {WEIGHTS: sha256(published / WEIGHTS, 64)}})
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS} is not a file of safetensors"):
        open_model(published)


def test_weights_that_do_not_fit_or_are_not_finite_are_refused(published):
    weights = load_file(published / WEIGHTS)
    name = "body.classifier.bias"
    replace_weights(published, {**weights, name: torch.full_like(weights[name], float("nan"))})
    with pytest.raises(CheckpointError, match="weights that are not finite"):
        open_model(published)
    del weights[name]
    replace_weights(published, weights)
    with pytest.raises(CheckpointError, match="do not fit its network"):
        open_model(published)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"weclick_stage": "other"}, "no checkpoint of a weclick teacher or student"),
        ({"hyper_parameters": [1]}, "no checkpoint of a weclick teacher or student"),
        ({"hyper_parameters": {}}, "options that this weclick"),
    ],
)
def test_a_description_of_something_else_is_refused(published, entries, words):
    change(published, **entries)
    with pytest.raises(CheckpointError, match=words):
        open_model(published)


def test_promise_11_a_description_imports_nothing(published):
    saved = json.loads((published / CONFIG).read_text(encoding="utf-8"))["hyper_parameters"]
    saved["options"]["network"]["name"] = "antigravity.Network"
    change(published, hyper_parameters=saved)
    with pytest.raises(CheckpointError, match=r"antigravity.* is not loaded"):
        open_model(published)
    assert "antigravity" not in sys.modules


def test_what_was_changed_since_is_listed(published):
    assert changed_files(published) == []
    (published / "sample.png").write_bytes(b"")
    (published / ".git").mkdir()
    (published / ".git" / "HEAD").write_text("")
    (published / WEIGHTS).write_bytes(b"other")
    assert changed_files(published) == [".git/HEAD", WEIGHTS, "sample.png"]


def test_other_folders_are_not_published_models(tmp_path, published):
    assert is_published(published)
    assert not is_published(tmp_path)
    assert not is_published(published / WEIGHTS)


def test_a_folder_named_like_a_run_is_found_before_the_run(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(published, tmp_path / "first")
    assert load("first").stage == "student"


@pytest.mark.skipif(not PYPROJECT.exists(), reason="pyproject.toml lies beside the source only")
def test_what_serving_needs_is_what_the_project_states():
    text = resources.files("weclick.inference").joinpath(REQUIREMENTS).read_text(encoding="utf-8")
    needed = [Requirement(line) for line in text.splitlines() if not line.startswith("#")]
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["export"]]
    assert {str(one) for one in needed} <= {str(Requirement(line)) for line in stated}
