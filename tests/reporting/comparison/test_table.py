import csv
import math
import subprocess

import pytest

from weclick.reporting.comparison import version
from weclick.reporting.comparison.table import arm_lines, class_lines, facts, write_tables


def lines(outcomes):
    return {line["arm"]: line for line in arm_lines(outcomes)}


def test_gain_and_share_by_hand(outcome):
    found = lines(
        [
            *(outcome("clicks", seed, miou) for seed, miou in enumerate((0.30, 0.40))),
            *(outcome("weclick", seed, miou) for seed, miou in enumerate((0.42, 0.48))),
            *(outcome("full", seed, miou) for seed, miou in enumerate((0.50, 0.50))),
        ]
    )
    weclick = found["weclick"]
    assert (weclick["seeds"], weclick["mIoU"], weclick["spread"]) == ("2", "45.00", "4.24")  # 6 / sqrt 2
    assert (weclick["gain over clicks"], weclick["gain spread"]) == ("+10.00", "2.83")  # of 12 and 8
    assert weclick["share of full"] == "90.00"
    assert found["clicks"]["gain over clicks"] == "+0.00"
    assert found["full"]["share of full"] == "100.00"
    assert (weclick["temporal consistency"], weclick["FPS"]) == ("80.00", "50.0")


def test_arms_are_compared_over_the_seeds_both_have(outcome):
    found = lines(
        [outcome("clicks", 0, 0.2), outcome("clicks", 1, 0.4), outcome("kd", 1, 0.5), outcome("full", 2, 0.9)]
    )
    assert (found["kd"]["gain over clicks"], found["kd"]["gain spread"]) == ("+10.00", "-")
    assert found["kd"]["share of full"] == "-"
    assert found["full"]["gain over clicks"] == "-"


def test_what_was_not_measured_is_a_dash(outcome):
    (line,) = arm_lines([outcome("kd", 0, 0.5, temporal=None, speed=None)])
    missing = {"spread", "gain over clicks", "gain spread", "share of full", "temporal consistency", "FPS"}
    assert {name for name, cell in line.items() if cell == "-"} == missing
    assert "VC8" not in line


def test_a_ceiling_that_got_nothing_right_is_no_ceiling(outcome):
    assert lines([outcome("kd", 0, 0.5), outcome("full", 0, 0.0)])["kd"]["share of full"] == "-"


def test_video_consistency_has_a_column_where_there_is_any(outcome):
    found = lines([outcome("clicks", 0, 0.5, video_consistency={8: 0.91, 16: 0.8}), outcome("kd", 0, 0.5)])
    assert (found["clicks"]["VC8"], found["kd"]["VC8"]) == ("91.00", "-")


def test_classes_go_down_and_arms_across(outcome):
    nowhere = {"road": 0.9, "car": math.nan}
    found = class_lines(
        [outcome("clicks", 0, 0.4), outcome("clicks", 1, 0.6, iou=nowhere), outcome("kd", 0, 0.5, iou=nowhere)]
    )
    assert found == [
        {"class": "road", "clicks": "65.00", "kd": "90.00"},
        {"class": "car", "clicks": "20.00", "kd": "-"},
    ]


def test_the_facts_tell_the_budget(outcome):
    line = facts([outcome("clicks", 0, 0.4), outcome("clicks", 2, 0.4, clicks=1010), outcome("full", 0, 0.5)])
    for word in ("epochs 12", "seeds 0, 2", "clicks 1,000 to 1,010", "val split, 101 frames", "480x360", "a processor"):
        assert word in line
    assert "\n" not in line
    assert "clicks" not in facts([outcome("full", 0, 0.5, speed=None)])


def test_tables_are_written_as_csv_and_markdown(outcome, tmp_path):
    write_tables([outcome("clicks", 0, 0.4), outcome("kd", 0, 0.5)], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "table.md", "per_class.csv", "per_class.md"}
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["mIoU"] for row in csv.DictReader(stream)] == ["40.00", "50.00"]
    for name in ("table.md", "per_class.md"):
        assert "Budget: epochs 12" in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("error", [FileNotFoundError(), subprocess.CalledProcessError(128, "git")])
def test_without_git_the_version_is_all(monkeypatch, error):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(version.subprocess, "run", refuse)
    assert version.code_version().startswith("weclick ")
    assert "commit" not in version.code_version()
