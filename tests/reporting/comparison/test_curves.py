import csv
import math
import re

from weclick.reporting.comparison.curves import points, write_curves


def budgets(outcome):
    """Two seeds of two arms and one of masks, at half of the frames, at two clicks per frame, and at all."""
    for seed in (0, 1):
        for arm, miou in (("clicks", 0.4), ("weclick", 0.5)):
            yield outcome(arm, seed, miou - 0.1 + 0.02 * seed, clicks=500, frame_share=0.5)
            yield outcome(arm, seed, miou - 0.2, clicks=80, frame_share=1.0, clicks_per_frame=2)
            yield outcome(arm, seed, miou, frame_share=1.0)
    yield outcome("full", 0, 0.6, frame_share=1.0)


def test_all_clicks_of_all_frames_are_a_point_of_both_curves(outcome):
    found = points(budgets(outcome))
    limits = {
        (curve, arm): [p.limit for p in found if (p.curve, p.arm) == (curve, arm)] for curve, arm in places(found)
    }
    assert limits == {
        ("frames", "clicks"): [0.5, 1.0],
        ("frames", "weclick"): [0.5, 1.0],
        ("frames", "full"): [1.0],
        ("clicks", "clicks"): [2, math.inf],
        ("clicks", "weclick"): [2, math.inf],
    }
    assert found[0].mious == (0.4 - 0.1, 0.4 - 0.1 + 0.02)
    assert (found[0].clicks, found[0].label, found[-1].label) == (500, "0.5", "all")


def places(found):
    return dict.fromkeys((point.curve, point.arm) for point in found)


def test_points_do_not_depend_on_the_order_of_rows(outcome):
    rows = list(budgets(outcome))
    backwards = points([*rows[:2], *rows[:1:-1]])
    assert [(p.curve, p.arm, p.limit) for p in backwards if p.arm != "full"] == [
        (p.curve, p.arm, p.limit) for p in points(rows) if p.arm != "full"
    ]


def test_a_table_per_curve_by_hand(outcome, tmp_path):
    write_curves(list(budgets(outcome)), tmp_path)
    text = squeezed(tmp_path / "curves.md")
    assert "| 0.5 | 500 | 31.00 ± 1.41 | 41.00 ± 1.41 | - |" in text
    assert "| 1 | 1000 | 40.00 ± 0.00 | 50.00 ± 0.00 | 60.00 |" in text
    assert "| 2 | 80 | 20.00 ± 0.00 | 30.00 ± 0.00 |" in text
    assert "| all | 1000 | 40.00 ± 0.00 | 50.00 ± 0.00 |" in text
    with (tmp_path / "curves.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9
    assert rows[0] == {
        **{"curve": "frames", "arm": "clicks", "frame share": "0.5", "clicks per frame": "all"},
        **{"clicks in all": "500", "seeds": "2", "mIoU": "31.00", "spread": "1.41"},
    }


def test_one_row_makes_a_table(outcome, tmp_path):
    write_curves([outcome("full", 0, 0.6, frame_share=0.5)], tmp_path)
    assert "| 0.5 | - | 60.00 |" in squeezed(tmp_path / "curves.md")


def squeezed(path):
    """The text of a file, without the spaces that line its columns up."""
    return re.sub(" +", " ", path.read_text(encoding="utf-8"))
