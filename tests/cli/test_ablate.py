import csv

import pytest
import yaml

from .conftest import TINY

pytestmark = pytest.mark.slow

MADE = ("student/last.ckpt", "test/metrics.json", "test/report.html")


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["arm"]: row for row in csv.DictReader(stream)}


def test_arms_share_one_teacher_and_end_in_one_table(weclick, synthetic_root, tmp_path):
    command = ("ablate", "--data.root", synthetic_root, *TINY, "--name", "compared")
    weclick(*command, "--arms", "clicks,weclick").done()
    folder = tmp_path / "runs" / "compared"
    config = yaml.safe_load((folder / "weclick-s0" / "config.yaml").read_text(encoding="utf-8"))
    assert config["arm"] == "weclick"
    (teacher,) = (folder / "shared").glob("teacher-s0-*/teacher/last.ckpt")
    assert config["teacher_checkpoint"] == str(teacher.relative_to(tmp_path))
    assert not (folder / "weclick-s0" / "teacher").exists()
    assert (folder / "weclick-s0" / "test" / "report.html").exists()

    made = [folder / f"{arm}-s0" / name for arm in ("clicks", "weclick") for name in MADE]
    times = [path.stat().st_mtime_ns for path in made]
    result = weclick(*command, "--arms", "clicks,weclick,kd,beyond,full").done()
    table = rows(folder / "table.csv")
    assert list(table) == ["clicks", "weclick", "kd", "beyond", "full"]
    assert len(list((folder / "shared").iterdir())) == 4  # another teacher for "beyond", and so another memory
    assert float(table["clicks"]["gain over clicks"]) == 0
    assert "| weclick |     1 |" in result.out  # lined up under "seeds"
    assert times == [path.stat().st_mtime_ns for path in made]  # neither trained nor evaluated again
    assert "Budget: epochs 1; seeds 0; " in result.out
    assert str(folder.relative_to(tmp_path) / "plot.png") in result.out
    assert (folder / "plot.png").exists()
    header = (folder / "per_class.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "class,clicks,weclick,kd,beyond,full"


@pytest.mark.parametrize(("option", "value"), [("--arms", "clicks,nix"), ("--seeds", "0,one"), ("--arms", "")])
def test_unknown_arms_and_seeds_are_refused(weclick, synthetic_root, option, value):
    weclick("ablate", "--data.root", synthetic_root, *TINY, option, value).refused_at_once(option)


@pytest.mark.filterwarnings("ignore:.*the batch is skipped and kept in")
def test_a_refused_row_is_named(weclick, synthetic_root):
    options = ("--student.optimiser.learning_rate=1e30", "--arms", "clicks", "--seeds", "3", "--trainer.max_epochs=4")
    weclick("ablate", "--data.root", synthetic_root, *TINY, *options).refused("arm clicks, seed 3")
