import math
from types import SimpleNamespace

import cv2

from weclick.reporting.memory_quality import (
    TEACHER,
    Figures,
    Quality,
    Source,
    figure_of,
    table_lines,
    table_markdown,
    write_quality,
)


def some(**changes):
    values = dict(miou=0.5, teacher_miou=0.4, filled_miou=0.45, coverage=0.9, ece=0.1, teacher_ece=0.2, distance=1.5)
    return Figures(**{**values, "frames": 7, **changes})


FIGURES = {
    TEACHER: some(distance=math.nan),
    Source("neighbour", -1): some(),
    Source("neighbour", 1): some(),
    Source("neighbour", 3): some(frames=1),
    Source("memory", 1): some(miou=math.nan, coverage=0.0),
    Source("memory + own", 1): some(),
    Source("memory as set", 1): some(),
}


def test_the_table_is_in_percent_with_a_dash_for_what_is_not_known():
    quality = Quality(FIGURES, "7 labelled frames", "val-2-past")
    rows = table_lines(quality)
    assert rows[1] == {
        **{"source": "neighbour at -1", "mIoU": "50.00", "mIoU teacher there": "40.00", "mIoU filled": "45.00"},
        **{"coverage": "90.00", "ECE": "10.00", "ECE teacher there": "20.00", "distance": "1.50", "frames": "7"},
    }
    assert rows[0]["distance"] == "-" and rows[4]["mIoU"] == "-"
    lines = [line for line in table_markdown(quality).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(FIGURES)
    assert len({len(line) for line in lines}) == 1
    assert "7 labelled frames" in table_markdown(quality)


def drawn(axes):
    return {
        line.get_label(): SimpleNamespace(x=list(line.get_xdata()), y=list(line.get_ydata())) for line in axes.lines
    }


def test_the_picture_shows_the_figures_in_percent_and_leaves_rare_offsets_out():
    panels = {axes.get_ylabel().split(" ")[0] + str(n): drawn(axes) for n, axes in enumerate(figure_of(FIGURES).axes)}
    assert list(panels) == ["mIoU0", "mIoU1", "ECE2"]
    assert panels["mIoU0"]["memory"].y == [45] and panels["mIoU0"]["teacher, one frame"].y == [45, 45]
    assert panels["ECE2"]["memory + own"].y == [10]
    assert panels["mIoU1"]["neighbour, carried"].x == [-1, 1]
    assert panels["mIoU1"]["teacher, same pixels"].y == [40, 40]


def test_table_and_picture_are_written(tmp_path):
    paths = write_quality(Quality(FIGURES, "", "val-2-past"), tmp_path / "memory_quality")
    assert [path.name for path in paths] == ["table.csv", "table.md", "plot.png"]
    assert sorted(path.name for path in (tmp_path / "memory_quality").iterdir()) == sorted(p.name for p in paths)
    assert cv2.imread(str(paths[2])).shape[2] == 3
