"""`weclick memory`: how good the memory of a run is, as a command."""

import csv
import shutil

import pytest

FILES = {"table.csv", "table.md", "plot.png"}


@pytest.fixture
def runs(trained, tmp_path):
    """A copy of the finished run `done`."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def sources(run):
    (table,) = run.glob("memory_quality/*/table.csv")
    with table.open(encoding="utf-8") as stream:
        return [row["source"] for row in csv.DictReader(stream)]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_measured_with_its_own_settings(weclick, runs):
    before = contents(runs)
    printed = weclick("memory", "--run", "done").done().out
    made = contents(runs)
    assert {path.name for path in made.keys() - before.keys()} == FILES
    assert all(made[path] == content for path, content in before.items())  # the store too stays as it was
    assert sources(runs / "done")[:3] == ["teacher", "neighbour at -1", "neighbour at -2"]
    assert "8 labelled frames of the val split" in printed and "teacher/last.ckpt" in printed
    assert "memory + own, 2 neighbours" in printed and "memory_quality/val-2-past-" in printed.replace("\n", "")


def test_options_override_the_settings_of_the_run(weclick, runs):
    options = (
        "--data.clips.neighbours",
        "3",
        "--memory.fusion.own",
        "2",
        "--memory.views",
        "true",
        "--max-frames",
        "1",
    )
    printed = weclick("memory", *options, "--split", "train").done().out
    assert sources(runs / "done")[-1] == "memory as set, 3 neighbours"
    assert "1 labelled frames of the train split" in printed and "on several views" in printed


def test_the_same_command_gives_the_same_table_and_another_leaves_it(weclick, runs):
    measurements = []
    for options in ((), (), ("--data.clips.neighbours", "1")):
        weclick("memory", "--max_frames", "2", *options).done()
        measurements.append(contents(runs / "done" / "memory_quality"))
    assert measurements[0] == measurements[1]
    assert len(measurements[2]) == 2 * len(FILES)
    assert measurements[0].items() <= measurements[2].items()


@pytest.mark.parametrize(
    ("options", "words", "status"),
    [
        (("--data.clips.neighbours", "0"), ("data.clips.neighbours is 0", "--data.clips.neighbours 2"), 1),
        (("--max_frames", "0"), ("--max_frames must be at least 1",), 1),
        (("--split", "test"), ("test split", "no masks"), 1),
        (("--split", "all"), ("split", "all"), 2),
        (("--teacher_checkpoint", "gone.ckpt"), ("no teacher at gone.ckpt", "--stage teacher"), 1),
        (("--run", "missing"), ("missing", "done"), 1),
        (("--max_epochs", "1"), ("did you mean trainer.max_epochs?",), 2),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(weclick, trained, options, words, status):
    weclick("memory", "--runs", trained, *options).refused_at_once(*words, status=status)
    assert not (trained / "done" / "memory_quality").exists()


def test_a_run_without_a_teacher_is_refused_in_one_line(weclick, runs):
    shutil.rmtree(runs / "done" / "teacher")
    weclick("memory", "--run", "done").refused_at_once("no teacher at", "done/teacher/last.ckpt", "--stage teacher")
    weclick("memory").refused_at_once("no run in", "finished teacher")


def test_the_help_tells_what_to_try(weclick):
    text = " ".join(weclick("memory", "--help").done().out.split())
    for word in (
        "--data.clips.neighbours 4",
        "--data.clips.sides both",
        "--memory.views true",
        "--memory.fusion.own 1",
        "plot.png",
    ):
        assert word in text
