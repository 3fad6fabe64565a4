import sys
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from matplotlib.text import Text

from weclick.classes import ClassSet
from weclick.errors import ShapeError
from weclick.reporting.plots import (
    confusion_figure,
    curves,
    curves_figure,
    pareto_front,
    plot_confusion,
    plot_curves,
    plot_rates,
    rates_figure,
    trade_figure,
)

CLASSES = ClassSet.from_list([{"name": "road"}, {"name": "a$b$c_<&>"}, {"name": "car"}])
CURVES = {
    "train/loss": [(0, 2.0), (1, 1.0)],
    "train/loss_click": [(0, 1.0), (1, 0.5)],
    "val/miou": [(0, 0.3), (1, 0.5), (2, 0.4)],
}
# As metrics.csv holds it: a row per logging step, most cells empty.
SPARSE: list[dict[str, float]] = [
    {"lr-AdamW": 0.1, "step": 0},
    {"epoch": 0, "step": 19, "train/loss_mfd": 4.0},
    {"epoch": 0, "step": 19, "train/loss_mfd": 2.0},
    {"epoch": 0, "step": 19, "val/miou": 0.25},
    {"epoch": 0, "step": 19, "train/loss": 2.0},
    {"epoch": 1, "step": 39, "train/loss": 1.5, "train/loss_mfd": float("nan")},
    {"epoch": 1, "step": 39, "val/miou": 0.5},
]


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_curves_from_sparse_rows():
    assert curves(SPARSE) == {
        "train/loss": [(1, 2.0), (2, 1.5)],  # as the progress bar counts
        "train/loss_mfd": [(1, 3.0)],
        "val/miou": [(1, 0.25), (2, 0.5)],
    }
    assert curves([]) == {}


def test_curves_show_losses_above_and_validation_below():
    losses, values = curves_figure(CURVES).axes
    assert [line.get_label() for line in losses.lines] == ["loss", "loss_click"]
    assert values.lines[0].get_label() == "miou"
    assert list(values.lines[0].get_ydata()) == [0.3, 0.5, 0.4]


def test_curves_mark_the_best_epoch():
    values = curves_figure(CURVES).axes[1]
    assert values.lines[1].get_xdata() == [1]
    assert "0.500" in texts(values.figure)


def test_curves_of_a_run_that_logged_nothing_are_empty():
    assert curves_figure({}).axes[0].lines[:] == []


def test_confusion_is_normalised_by_row():
    figure = confusion_figure(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 9]]), CLASSES)
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [0, 0, 0], [0, 0, 1]])
    assert {"75", "25", "100", "road", "predicted", "true"} <= set(texts(figure))


def test_confusion_of_many_classes_has_no_numbers():
    many = ClassSet.from_list([{"name": f"class {i}"} for i in range(25)])
    assert "100" not in texts(confusion_figure(np.eye(25, dtype=np.int64), many))


def test_sizes_must_fit_the_classes():
    with pytest.raises(ShapeError, match=r"\(3, 3\), found \(2, 2\)"):
        plot_confusion(np.zeros((2, 2)), CLASSES)


def test_names_with_dollars_are_no_mathematics():
    assert plot_rates({"$": 0.1, r"$\x$": 0.2, "$$": 0.3}, "FPS")


def test_png_is_on_white_paper():
    picture = cv2.imdecode(np.frombuffer(plot_curves(SPARSE), np.uint8), cv2.IMREAD_COLOR)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture.shape[1] > 900


def test_svg_is_well_formed_and_has_no_paper():
    svg = plot_confusion(np.eye(3, dtype=np.int64), CLASSES, "svg")
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert b"#ffffff" not in svg.split(b"axes_1")[0]


def test_no_global_figure_state():
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_pareto_front_points_cost_less_or_give_more():
    points = {"cheap": (1.0, 10.0), "worse": (2.0, 9.0), "dear": (3.0, 20.0), "as dear": (3.0, 15.0)}
    assert pareto_front(points) == ["cheap", "dear"]
    assert pareto_front({}) == []


def test_rates_carry_their_numbers():
    axes = rates_figure({"ours $1": 60.0, "theirs": 25.04}, "FPS").axes[0]
    assert [text.get_text() for text in axes.texts] == ["60.0", "25.0"]
    assert axes.get_xlabel() == "FPS"


def test_a_trade_names_all_points_and_joins_the_pareto_front():
    axes = trade_figure({"a": (1.0, 1.0), "b": (2.0, 0.5), "c": (3.0, 2.0)}, "ms", "mIoU").axes[0]
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]
    assert list(axes.lines[-1].get_xdata()) == [1.0, 3.0]
