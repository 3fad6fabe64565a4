import math

import pytest

from weclick.reporting.comparison.curves import points
from weclick.reporting.comparison.plot import arms_figure, budget_figure, plot_arms, plot_budget
from weclick.reporting.comparison.table import by_arm

ARMS = ("clicks", "kd", "mfd", "weclick", "levers", "beyond", "etc", "full")


def test_every_arm_has_a_place_and_its_mean_is_written(outcome):
    outcomes = [outcome(arm, seed, 0.4 + 0.01 * n) for n, arm in enumerate(ARMS) for seed in (0, 1)]
    figure = arms_figure(by_arm(outcomes))
    miou, temporal = figure.axes
    assert [label.get_text() for label in miou.get_yticklabels()] == list(ARMS)
    assert [text.get_text() for text in miou.texts] == [f"{40 + n:.1f}" for n in range(len(ARMS))]
    assert [text.get_text() for text in temporal.texts] == ["80.0"] * len(ARMS)
    assert plot_arms(outcomes).startswith(b"\x89PNG")


def test_full_is_a_line_across(outcome):
    figure = arms_figure(by_arm([outcome("clicks", 0, 0.4), outcome("full", 0, 0.6)]))
    assert [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"] == [pytest.approx(60)]


def test_what_was_not_measured_is_left_out(outcome):
    outcomes = [outcome("clicks", 0, 0.4, temporal=None), outcome("kd", 0, math.nan, temporal=None)]
    (axes,) = arms_figure(by_arm(outcomes)).axes
    assert [text.get_text() for text in axes.texts] == ["40.0"]


def test_a_line_per_arm_and_a_band_for_several_seeds(outcome):
    rows = [
        outcome(arm, seed, miou + 0.01 * seed, clicks=1000 * share, frame_share=share)
        for arm, miou in (("clicks", 0.3), ("weclick", 0.5))
        for seed in (0, 1)
        for share in (0.25, 1.0)
    ]
    frames, clicks = budget_figure(points(rows)).axes[:2]
    assert [line.get_label() for line in frames.lines] == ["clicks", "weclick"]
    assert frames.lines[1].get_xdata().tolist() == [0.25, 1.0]
    assert frames.lines[1].get_ydata().tolist() == pytest.approx([50.5, 50.5])
    assert len(frames.collections) == 2
    assert [label.get_text() for label in frames.get_xticklabels()] == ["0.25", "1"]
    assert [label.get_text() for label in clicks.get_xticklabels()] == ["all"]
    (above,) = frames.child_axes
    assert [label.get_text() for label in above.get_xticklabels()] == ["250", "1,000"]


def test_the_first_row_can_be_drawn(outcome):
    assert plot_budget(points([outcome("full", 0, 0.5, frame_share=0.1)])).startswith(b"\x89PNG")
    assert plot_arms([outcome("clicks", 0, 0.5)]).startswith(b"\x89PNG")
