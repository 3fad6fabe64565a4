"""Two processes that share a batch give what one process gives, for the networks and levers of every preset."""

import json
from pathlib import Path

import pytest
import torch

NO_DROPOUT = """import torch

for kind in (torch.nn.Dropout, torch.nn.Dropout2d):
    kind.forward = lambda self, x: x
"""

PRESETS = {
    "cityscapes": ("--teacher=teacher/pspnet_resnet101.yaml", "--student=student/pspnet_resnet18.yaml"),
    "phones": ("--teacher=teacher/convnext.yaml", "--student=student/pspnet_mobilenetv2.yaml"),
    "cpu": ("--teacher=teacher/lite2.yaml", "--student=student/light.yaml"),
}
SLOW = tuple(f"--{stage}.optimiser.learning_rate=1e-5" for stage in ("teacher", "student"))
"""A rate that fits so few steps: at the presets' rates they are so large that rounding grows to percents."""

SMALLER = {
    "cityscapes": ("--teacher.network.encoder=test_resnet", "--student.network.encoder=test_resnet"),
    "phones": (
        "--teacher.network.encoder=convnext_atto",
        "--teacher.network.width=16",
        "--student.network.encoder=mobilenetv2_035",
        *SLOW,
    ),
    "cpu": ("--teacher.network.encoder=test_efficientnet", "--student.network.encoder=test_efficientnet", *SLOW),
}
"""Encoders of the same families, but with few weights."""


@pytest.fixture
def no_dropout(monkeypatch):
    """Switch dropout off in this process and, by ``--import``, in those of a training: each would draw its own."""
    for kind in (torch.nn.Dropout, torch.nn.Dropout2d):
        monkeypatch.setattr(kind, "forward", lambda self, x: x)
    Path("no_dropout.py").write_text(NO_DROPOUT)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_promise_9_two_processes_give_what_one_gives(
    fit, start, finish, no_dropout, assert_same_run, weclick, tmp_path, preset
):
    network = [f"--{stage}.network.weights=none" for stage in ("teacher", "student")]
    options = (*PRESETS[preset], *SMALLER[preset], *network, "--arm=beyond", "--memory.flow=dis")
    fit(*options, "--name=on-1").done()
    printed = finish(start(*options, "--trainer.devices=2", "--name=on-2", before=("--import", "no_dropout")))
    one, two = (tmp_path / "runs" / f"on-{devices}" for devices in (1, 2))
    assert_same_run(one, two)
    lines = [line for line in printed[1].splitlines() if set(line) - {"-"}]
    assert len(lines) == len(set(lines)), "a message was printed twice"
    scores = []
    for run in (one, two):
        weclick("test", "--run", run).done()
        scores.append(json.loads((run / "test" / "metrics.json").read_text())["miou"])
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)
