"""A training says which stage and epoch it is in, counted from 1, with loss, mIoU and the time left."""

import logging
from types import SimpleNamespace

import torch

from weclick.reporting.epochs import EpochBar, EpochLines

MODULE = SimpleNamespace(stage="student")


def trainer(epoch, step):
    metrics = {"train/loss": torch.tensor(0.75), "val/miou": torch.tensor(0.25)}
    common = {"max_epochs": 3, "estimated_stepping_batches": 12, "callback_metrics": metrics}
    return SimpleNamespace(current_epoch=epoch, global_step=step, **common)


def test_the_bar_covers_the_whole_stage_and_shows_the_last_values(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    bar = EpochBar()
    bar.on_train_start(trainer(0, 0), MODULE)
    bar.on_train_batch_end(trainer(1, 6), MODULE, {"terms": {"loss": torch.tensor(0.5)}}, None, 1)
    bar.on_validation_end(trainer(1, 6), MODULE)
    bar.teardown(trainer(1, 6), MODULE, "fit")
    shown = capsys.readouterr().err
    for part in ("student  epoch 2/3", "6/12 steps", "loss 0.500  val/miou 0.250", "left"):
        assert part in shown


def test_without_a_terminal_an_epoch_is_one_line(caplog):
    lines = EpochLines()
    with caplog.at_level(logging.INFO, "lightning"):
        lines.on_train_start(trainer(0, 0), MODULE)
        for epoch in range(3):
            lines.on_train_epoch_end(trainer(epoch, 4 * (epoch + 1)), MODULE)
    assert len(caplog.messages) == 3
    for number, line in enumerate(caplog.messages, start=1):
        assert line.startswith(f"student  epoch {number}/3  train/loss 0.7500  val/miou 0.2500  ")
        assert line.endswith("min left")
