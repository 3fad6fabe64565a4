"""Settings, clicks and records of a run, damaged in several ways: one line that names the file."""

import shutil

import pytest

DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "another type": lambda content: b"[3, 4]\n",
}
CUT = {
    "without its last group": lambda content: content[: content.index(b"trainer:")],
    "within its last line": lambda content: content[:-4],
}
FILES = ("config.yaml", "clicks.sqlite", "teacher/done.json", "memory/manifest.json", "student/done.json")


@pytest.fixture
def damaged(trained, tmp_path):
    """Return a copy of a finished run with one file damaged."""

    def copy(name, damage):
        run = shutil.copytree(trained / "done", tmp_path / "done")
        (run / name).write_bytes((DAMAGE | CUT)[damage]((run / name).read_bytes()))
        return run

    return copy


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_run_is_named(weclick, damaged, name, damage):
    run = damaged(name, damage)
    weclick("fit", "--resume", run).refused(run / name)


@pytest.mark.parametrize("damage", CUT)
@pytest.mark.parametrize("command", [["test", "--run"], ["package"], ["memory", "--run"], ["export", "--run"]])
def test_a_truncated_config_is_not_filled_up_with_defaults(weclick, damaged, command, damage):
    run = damaged("config.yaml", damage)
    weclick(*command, run).refused_at_once(f"config {run / 'config.yaml'} is truncated; put back a copy")
