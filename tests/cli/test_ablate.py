import csv

import pytest
import yaml

from .conftest import TINY

pytestmark = pytest.mark.slow


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["arm"]: row for row in csv.DictReader(stream)}


def test_arms_share_one_teacher_and_end_in_one_table(weclick, synthetic_root, tmp_path):
    command = ("ablate", "--data.root", synthetic_root, *TINY, "--name", "compared")
    weclick(*command, "--arms", "clicks,weclick").done()
    folder = tmp_path / "runs" / "compared"
    config = yaml.safe_load((folder / "weclick-s0" / "config.yaml").read_text(encoding="utf-8"))
    assert config["arm"] == "weclick"
    assert config["teacher_checkpoint"] == "runs/compared/shared-s0/teacher/last.ckpt"
    assert not (folder / "weclick-s0" / "teacher").exists()
    assert (folder / "weclick-s0" / "test" / "report.html").exists()

    trained = {
        arm: (folder / f"{arm}-s0" / "student" / "last.ckpt").stat().st_mtime_ns for arm in ("clicks", "weclick")
    }
    answer = weclick(*command, "--arms", "clicks,weclick,kd,full").done()
    table = rows(folder / "table.csv")
    assert list(table) == ["clicks", "weclick", "kd", "full"]
    assert float(table["clicks"]["gain over clicks"]) == 0
    assert "| weclick | 1 |" in answer.out
    assert all((folder / f"{arm}-s0" / "student" / "last.ckpt").stat().st_mtime_ns == trained[arm] for arm in trained)


@pytest.mark.parametrize(("option", "value"), [("--arms", "clicks,nix"), ("--seeds", "0,one"), ("--arms", "")])
def test_unknown_arms_and_seeds_are_refused(weclick, synthetic_root, option, value):
    weclick("ablate", "--data.root", synthetic_root, *TINY, option, value).refused_at_once(option)
