import csv

import pytest
import yaml

from .conftest import TINY

pytestmark = pytest.mark.slow


def test_curves_of_fewer_frames_and_fewer_clicks(weclick, synthetic_root, tmp_path):
    command = ("budget", "--data.root", synthetic_root, *TINY, "--name", "fewer", "--frames", "0.5")
    weclick(*command, "--arms", "clicks", "--clicks", "all").done()
    folder = tmp_path / "runs" / "fewer"
    assert names(folder) == {"clicks-f0.5-s0", "clicks-s0"}
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/*.ckpt")}

    result = weclick(*command, "--arms", "clicks,full", "--clicks", "2").done()
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert names(folder) == {"clicks-f0.5-s0", "clicks-s0", "clicks-c2-s0", "full-f0.5-s0"}  # no clicks among masks
    half = yaml.safe_load((folder / "clicks-f0.5-s0" / "config.yaml").read_text(encoding="utf-8"))
    assert (half["data"]["clicks"]["frame_share"], half["trainer"]["max_epochs"]) == (
        0.5,
        2,
    )  # half the frames, twice as often
    curves = {(row["curve"], row["arm"], row["clicks per frame"]): row for row in points(folder)}
    assert curves["clicks", "clicks", "2"]["clicks in all"] == "8"  # two in each of four frames
    assert curves["frames", "full", "all"]["clicks in all"] == "-"
    assert "mIoU by clicks per frame" in result.out
    assert (folder / "curves.png").exists()


def names(folder):
    return {path.parent.name for path in folder.glob("*/config.yaml")}


def points(folder):
    with (folder / "curves.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("option", "value"),
    [("--frames", "0.5,1.5"), ("--frames", "half"), ("--clicks", "2,0"), ("--clicks", "some"), ("--arms", "nix")],
)
def test_budgets_that_make_no_sense_are_refused(weclick, synthetic_root, option, value):
    weclick("budget", "--data.root", synthetic_root, *TINY, option, value).refused_at_once(option)
