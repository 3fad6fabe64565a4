import csv

import cv2
import numpy as np
import pytest

from .conftest import TINY

pytestmark = pytest.mark.engines


def rows(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_a_run_is_timed_with_its_score(weclick, trained, tmp_path):
    options = ("--size", "[64,128]", "--rounds", "1", "--alternatives", "false", "--runs", trained, "--run", "done")
    printed = weclick("benchmark", "student", *options, "--out", tmp_path / "out").done().out
    table = rows(tmp_path / "out" / "student.csv")
    assert {row["network"] for row in table} == {"light test_efficientnet (done)"}
    assert all(float(row["FPS"]) > 0 for row in table)
    assert "threads" in printed and "128x64" in printed
    assert (tmp_path / "out" / "student.png").is_file()


def test_training_is_timed_in_every_mode(weclick, synthetic_root, tmp_path):
    options = ("--student", "student/light.yaml", *TINY, "--data.root", synthetic_root)
    weclick("benchmark", "train", *options, "--rounds", "1", "--steps", "1", "--out", tmp_path / "out").done()
    names = [row["training"] for row in rows(tmp_path / "out" / "train.csv")]
    assert names == [
        "network alone, ready tensors",
        "plain supervision",
        "stored memory",
        "online memory, 4 neighbours",
    ]
    assert not (synthetic_root / "clicks.sqlite").exists()


def test_building_the_memory_is_timed_stage_by_stage(weclick, synthetic_root, tmp_path):
    options = ("--arm", "beyond", *TINY, "--data.root", synthetic_root, "--rounds", "1", "--targets", "3")
    printed = weclick("benchmark", "memory", *options, "--out", tmp_path / "out").done().out
    whole, *stages = rows(tmp_path / "out" / "memory.csv")
    assert [row["stage"] for row in stages] == [
        "decode",
        "teacher",
        "flow",
        "carry and fuse",
        "connect and refine",
        "write",
    ]
    assert all(float(row["ms per item"]) > 0 for row in stages)
    assert sum(float(row["ms per item"]) for row in stages) == pytest.approx(float(whole["ms per item"]), rel=0.01)
    assert "targets: 3" in printed and "flow: dis" in printed
    assert not (synthetic_root / "clicks.sqlite").exists()


def test_the_loader_is_timed_stage_by_stage(weclick, synthetic_root, tmp_path):
    options = ("--student", "student/light.yaml", *TINY, "--data.root", synthetic_root, "--loader-only", "true")
    weclick("benchmark", "train", *options, "--rounds", "1", "--steps", "1", "--out", tmp_path / "out").done()
    table = rows(tmp_path / "out" / "loader.csv")
    assert [row["samples"] for row in table] == ["clicks", "clicks, with a neighbour", "masks"]
    for row in table:
        stages = [float(row[f"{stage} (ms)"]) for stage in ("read", "decode", "draw", "rest")]
        assert min(stages) > 0
        assert sum(stages) == pytest.approx(1000 / float(row["images/s per core"]), rel=0.01)
    assert not (synthetic_root / "clicks.sqlite").exists()


def test_prediction_is_timed_stage_by_stage(weclick, trained, tmp_path):
    source = tmp_path / "Bilder 1"
    source.mkdir()
    for number in range(3):
        cv2.imwrite(str(source / f"{number}.png"), np.full((64, 128, 3), 80 * number, np.uint8))
    options = ("--source", source, "--runs", trained, "--run", "done", "--rounds", "1", "--out", tmp_path / "out")
    weclick("benchmark", "video", *options).done()
    (row,) = rows(tmp_path / "out" / "video.csv")
    assert row["model"] == "torch"
    assert 0 < float(row["ratio"]) <= 1
    assert {"decode (ms)", "network (ms)", "draw (ms)"} <= row.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("student, train, memory, video",)),
        (("nix",), ("'nix'", "student, train, memory, video")),
        (("--rounds", "3"), ("student, train, memory, video",)),
        (("student", "--data", "camvid.yaml"), ("--data",)),
        (("train", "--max_epochs", "3"), ("did you mean trainer.max_epochs?",)),
        (("video",), ("source",)),
    ],
)
def test_wrong_usage_is_refused_in_one_line(weclick, arguments, words):
    weclick("benchmark", *arguments).refused(*words, status=2)


@pytest.mark.parametrize("part", [(), ("student",), ("train",), ("memory",), ("video",)])
def test_every_part_has_its_help(weclick, part):
    text = " ".join(weclick("benchmark", *part, "--help").done().out.split())
    assert text.startswith(" ".join(("usage: weclick benchmark", *part)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("student", "--rounds", "0"), ("--rounds must be at least 1",)),
        (("student", "--alternatives", "false"), ("nothing to time",)),
        (("student", "--size", "[-4,64]"), ("--size [-4, 64]", "at least 1")),
        (("student", "--classes", "0"), ("--classes 0", "at least 1")),
        (("student", "--run", "nowhere"), ("nowhere",)),
        (("video", "--source", "x.mp4", "--run", "nowhere"), ("nowhere",)),
        (("memory", "--targets", "0", "--data.root", "x"), ("--targets must be at least 1",)),
        (("train", "--steps", "0", "--data.root", "x"), ("--steps must be at least 1",)),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(weclick, arguments, words):
    weclick("benchmark", *arguments).refused(*words)
