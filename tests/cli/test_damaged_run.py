"""Settings, clicks and records of a run, damaged in several ways: one line that names the file."""

import shutil

import pytest

DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "another type": lambda content: b"[3, 4]\n",
}
FILES = ("config.yaml", "clicks.sqlite", "teacher/done.json", "memory/manifest.json", "student/done.json")


@pytest.fixture
def damaged(trained, tmp_path):
    """Return a copy of a finished run with one file damaged."""

    def copy(name, damage):
        run = shutil.copytree(trained / "done", tmp_path / "done")
        (run / name).write_bytes(DAMAGE[damage]((run / name).read_bytes()))
        return run

    return copy


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_run_is_named(weclick, damaged, name, damage):
    run = damaged(name, damage)
    weclick("fit", "--resume", run).refused(run / name)


@pytest.mark.parametrize("command", [("fit", "--resume"), ("test", "--run"), ("export", "--run"), ("package",)])
def test_settings_that_end_too_early_are_never_completed_by_defaults(weclick, trained, tmp_path, command):
    config = shutil.copytree(trained / "done", tmp_path / "done") / "config.yaml"
    lines = config.read_bytes().splitlines(keepends=True)
    for kept in (1, len(lines) // 2, lines.index(b"tracking:\n")):
        config.write_bytes(b"".join(lines[:kept]))
        weclick(*command, tmp_path / "done").refused(config, "truncated; put it back")
