"""What a stage records of itself: with what it was made, and which files it wrote."""

import json
from importlib.metadata import version

import pytest

from weclick.errors import CheckpointError
from weclick.inference.checkpoint import read_checkpoint
from weclick.pipeline.run import Run


def environments(run, stage):
    lines = (run.stage(stage) / "environments.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def finished(settings, fit, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs") / "run", "seed: 0\n")
    return fit(settings(arm="mfd", trainer={"max_epochs": 1}), run)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["teacher", "memory", "student"])
def test_a_stage_names_versions_seed_and_hardware(finished, stage):
    (made,) = environments(finished, stage)
    assert made["seed"] == 0
    assert made["packages"]["torch"] == version("torch")
    assert made["packages"]["lightning"] == version("lightning")
    assert made["weclick"].startswith(f"weclick {version('weclick')}")
    assert made["device"]
    assert made["cores"] >= 1


@pytest.mark.slow
def test_a_fit_that_only_reuses_a_stage_records_nothing(finished, settings, fit):
    fit(settings(arm="mfd", trainer={"max_epochs": 1}), finished)
    assert [len(environments(finished, stage)) for stage in ("teacher", "memory", "student")] == [1, 1, 1]


@pytest.mark.slow
def test_a_checkpoint_that_was_replaced_is_refused_until_it_is_back(finished, tmp_path):
    last, teacher = (finished.checkpoint(stage, "last") for stage in ("student", "teacher"))
    own = last.read_bytes()
    last.write_bytes(teacher.read_bytes())
    with pytest.raises(
        CheckpointError, match=r"student/last\.ckpt is not the file that its training wrote .*done\.json"
    ):
        read_checkpoint(last)
    moved = tmp_path / "last.ckpt"
    moved.write_bytes(last.read_bytes())
    assert read_checkpoint(moved)["weclick_stage"] == "teacher"
    last.write_bytes(own)
    assert read_checkpoint(last)["weclick_stage"] == "student"


@pytest.mark.slow
def test_a_run_of_a_version_that_recorded_no_hashes_is_read(finished):
    done = finished.stage("student") / "done.json"
    before = done.read_text(encoding="utf-8")
    facts = json.loads(before)
    del facts["sha256"]
    done.write_text(json.dumps(facts), encoding="utf-8")
    try:
        assert read_checkpoint(finished.checkpoint("student", "last"))["weclick_stage"] == "student"
    finally:
        done.write_text(before, encoding="utf-8")
