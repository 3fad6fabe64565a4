"""The short part of ``make faults``: a fit that is killed at random moments ends as if nothing had been."""

import pytest
import torch

from .contents import differences
from .kills import COMMANDS, Outcome, Series

pytestmark = pytest.mark.slow


def test_a_killed_fit_that_is_repeated_leaves_what_an_undisturbed_one_leaves(tmp_path):
    series, outcome = Series(tmp_path, COMMANDS[:3]), Outcome()
    for _ in range(3):
        series.kill(outcome)
    assert outcome.killed["fit"]
    assert outcome.differences == []


def test_what_differs_is_named(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, value in ((one, 0.0), (other, 1.0)):
        folder.mkdir()
        torch.save({"weights": torch.full((2,), value)}, folder / "last.ckpt")
        (folder / "metrics.json").write_text(f'{{"miou": 0.5, "date": {value}}}')
    (one / "done.json").touch()
    (other / ".last-writing.ckpt").touch()
    assert differences(one, other) == ["done.json is missing", ".last-writing.ckpt is left", "last.ckpt differs"]
    assert differences(one, one) == []
