"""From Python: what the documentation shows runs."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import weclick
from weclick.errors import CheckpointError, ConfigError, RunError
from weclick.inference.writer import VideoWriter

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(synthetic_root, tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    options = dict(option.removeprefix("--").split("=") for option in tiny)
    config = {
        "arm": "clicks",
        "data.root": str(synthetic_root),
        **{name: yaml.safe_load(v) for name, v in options.items()},
    }
    (tmp_path / "folder.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with VideoWriter(tmp_path / "drive.mp4", 10) as film:
        for value in range(3):
            film.write(np.full((48, 64, 3), 80 * value, np.uint8))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {"frame": np.zeros((48, 64, 3), np.uint8)}
    exec(code, names)
    assert names["run"] == Path("runs/first")
    assert names["road"].shape == (48, 64)
    assert (tmp_path / "drive-overlay.mp4").exists()


@pytest.mark.slow
def test_a_run_is_loaded_by_name_folder_or_checkpoint_and_tested(trained, synthetic_root, tmp_path, monkeypatch):
    runs = shutil.copytree(trained, tmp_path / "elsewhere")
    image = cv2.cvtColor(cv2.imread(str(next(synthetic_root.rglob("*leftImg8bit.png")))), cv2.COLOR_BGR2RGB)
    opened = [
        weclick.load("done", runs=runs),
        weclick.load(runs / "done"),
        weclick.load(runs / "done" / "student" / "last.ckpt"),
    ]
    first, *others = (model.predict(image).labels for model in opened)
    assert all((labels == first).all() for labels in others)
    metrics = weclick.test("done", runs=runs)
    assert metrics == json.loads((runs / "done" / "test" / "metrics.json").read_text(encoding="utf-8"))
    assert 0 <= metrics["miou"] <= 1


def test_what_is_neither_run_nor_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="no run 'first'"):
        weclick.load("first")
    with pytest.raises(CheckpointError, match=r"gone\.ckpt"):
        weclick.load("gone.ckpt")
    with pytest.raises(RunError, match="no run in runs/"):
        weclick.test()
    with pytest.raises(ConfigError, match="stage"):
        weclick.test(stage="memory")
