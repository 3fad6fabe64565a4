"""Which loggers a training gets."""

import pytest
from lightning.pytorch.loggers import TensorBoardLogger

from weclick.errors import ConfigError
from weclick.reporting import loggers
from weclick.reporting.loggers import make_loggers, refuse_missing_tensorboard
from weclick.reporting.options import TrackingOptions

OPTIONS = TrackingOptions("disabled", tensorboard=True)


def test_tensorboard_is_one_option_away(tmp_path):
    _, board = make_loggers(tmp_path, OPTIONS, names=("r", "student"), stage="student", config={})
    assert isinstance(board, TensorBoardLogger)
    board.log_metrics({"train/loss": 0.5}, step=1)
    board.finalize("success")
    (events,) = (tmp_path / "tensorboard").glob("events*")
    assert b"train/loss" in events.read_bytes()


def test_tensorboard_without_its_package_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"tracking\.tensorboard needs .* pip install 'weclick\[tensorboard\]'"):
        refuse_missing_tensorboard(OPTIONS)
    refuse_missing_tensorboard(TrackingOptions())
