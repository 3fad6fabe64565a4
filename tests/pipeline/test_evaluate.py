from pathlib import Path

import pytest

from weclick.pipeline.evaluate import Chosen, results_folder
from weclick.pipeline.run import Run


@pytest.fixture
def folder(tmp_path):
    """Where results of a checkpoint go, below ``runs/a``; paths are relative to ``runs``."""
    run = Run.create(tmp_path / "runs" / "a", "seed: 0\n")

    def find(path):
        chosen = Chosen(tmp_path / "runs" / path, "named on the command line")
        return results_folder(run, chosen).relative_to(run.folder).as_posix()

    return find


def test_results_of_a_runs_own_student_are_in_test(folder):
    assert folder("a/student/last.ckpt") == folder("a/student/best.ckpt") == "test"


def test_results_of_other_files_of_a_run_lie_below(folder):
    assert folder("a/teacher/best.ckpt") == "test/teacher-best"
    assert folder("a/export/student.onnx") == "test/export-student.onnx"
    assert folder("a/export/student.xml") == "test/export-student.xml"


def test_results_of_other_runs_never_replace_each_other(folder):
    others = ["b/student/last.ckpt", "c/student/last.ckpt", "x/clicks-s0/student/last.ckpt"]
    others += ["y/clicks-s0/student/last.ckpt", "a/student/last.ckpt", "a/teacher/last.ckpt", "/last.ckpt"]
    found = [folder(path) for path in others]
    assert len(set(found)) == len(found)
    assert all(Path(name).parts[0] == "test" and len(Path(name).parts) <= 2 for name in found)
