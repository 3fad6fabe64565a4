"""How far a run is, from its files."""

import subprocess
import sys

from weclick.reporting.stages import stages_of


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


def test_nothing_of_the_training_is_imported():
    program = "import sys, weclick.reporting.stages, weclick.jobs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning"} & set(done.stdout.split())
