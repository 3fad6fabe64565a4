"""Two processes that share a batch give what one process gives, for the networks and levers of every preset."""

import json

import pytest

NO_DROPOUT = """import torch

for kind in (torch.nn.Dropout, torch.nn.Dropout2d):
    kind.forward = lambda self, x: x
"""
"""A module to import: each process draws its own dropout, so that it alone cannot be the same."""

PRESETS = {
    "cityscapes": ("--teacher=teacher/pspnet_resnet101.yaml", "--student=student/pspnet_resnet18.yaml"),
    "phones": ("--teacher=teacher/convnext.yaml", "--student=student/pspnet_mobilenetv2.yaml"),
    "cpu": ("--teacher=teacher/lite2.yaml", "--student=student/light.yaml"),
}
SLOW = tuple(f"--{stage}.optimiser.learning_rate=1e-5" for stage in ("teacher", "student"))
"""A rate that fits so few steps: at the presets' rates they are so large that rounding grows to percents."""

SMALLER = {
    "cityscapes": ("--teacher.network.encoder=resnet18",),
    "phones": ("--teacher.network.encoder=convnext_atto", "--teacher.network.width=16", *SLOW),
    "cpu": SLOW,
}
"""Encoders of the same family where those of the presets take minutes here."""


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_promise_9_two_processes_give_what_one_gives(start, finish, assert_same_run, weclick, tmp_path, preset):
    (tmp_path / "no_dropout.py").write_text(NO_DROPOUT)
    options = (*PRESETS[preset], *SMALLER[preset], "--arm=beyond", "--data.batch_size=2", "--memory.flow=dis")
    network = [f"--{stage}.network.weights=none" for stage in ("teacher", "student")]
    printed = {}
    for devices in (1, 2):
        fixed = (*options, *network, f"--trainer.devices={devices}", f"--name=on-{devices}")
        printed[devices] = finish(start(*fixed, before=("--import", "no_dropout")))
    one, two = (tmp_path / "runs" / f"on-{devices}" for devices in (1, 2))
    assert_same_run(one, two)
    lines = [line for line in printed[2][1].splitlines() if set(line) - {"-"}]
    assert len(lines) == len(set(lines)), "a message was printed twice"
    scores = []
    for run in (one, two):
        weclick("test", "--run", run).done()
        scores.append(json.loads((run / "test" / "metrics.json").read_text())["miou"])
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)
