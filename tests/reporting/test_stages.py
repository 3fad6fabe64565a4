"""How far a run is, from its files."""

import subprocess
import sys

import pytest

from weclick.errors import RunError
from weclick.reporting.stages import read_metrics, stages_of


def write(folder, files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_a_run_that_has_not_begun_has_no_stages(tmp_path):
    assert stages_of(tmp_path / "missing") == []


def test_stages_tell_how_far_they_are(tmp_path):
    metrics = "epoch,step,train/loss,val/miou\n0,3,2.0,\n0,3,,0.25\n1,7,1.0,\n"
    write(tmp_path / "teacher", {"begun.json": '{"epochs": 2}', "done.json": "{}", "metrics.csv": metrics})
    write(tmp_path / "memory", {"manifest.json": "{}"})
    write(tmp_path / "student", {"begun.json": '{"epochs": 9}'})
    teacher, memory, student = stages_of(tmp_path)
    assert (teacher.name, teacher.finished, teacher.epochs) == ("teacher", True, 2)
    assert (teacher.losses, teacher.mious) == ((2.0, 1.0), (0.25,))
    assert teacher.updated >= teacher.begun > 0
    assert (memory.name, memory.finished, memory.epochs) == ("memory", False, 0)
    assert (student.epochs, student.losses, student.updated) == (9, (), 0.0)


@pytest.mark.parametrize("content", [b"", b'{"epochs": ', b"[3, 4]", b'{"epochs": null}', b"{}", bytes(range(256))])
def test_a_damaged_beginning_is_named(tmp_path, content):
    write(tmp_path / "student", {})
    (tmp_path / "student" / "begun.json").write_bytes(content)
    with pytest.raises(RunError, match=r"student/begun\.json is damaged \(.*\); restore it, or delete"):
        stages_of(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[3, 4]\n", b"epoch,loss\n", bytes(range(256)), b"step,loss\n0,x\n"])
def test_damaged_metrics_are_named(tmp_path, content):
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(RunError, match=r"metrics\.csv is damaged \(.*\); restore it, or remove it"):
        read_metrics(tmp_path / "metrics.csv")


def test_nothing_of_the_training_is_imported():
    program = "import sys, weclick.reporting.stages, weclick.jobs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning"} & set(done.stdout.split())
