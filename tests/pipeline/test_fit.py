import csv
import json

import pytest

from weclick.errors import ConfigError, RunError
from weclick.pipeline.fit import need_neighbours, supplies_of


def test_pairs_come_with_the_runs_flow_and_only_for_the_temporal_loss(settings, run):
    etc = settings(arm="etc", memory=dict(flow="dis-fast"))
    (supply,) = supplies_of(etc.student, etc, run("etc"))
    assert supply.flow.name == "dis-fast"
    for arm in ("clicks", "levers"):
        assert supplies_of(settings(arm=arm).student, settings(arm=arm), run(arm)) == ()


@pytest.mark.slow
def test_a_teacher_may_learn_from_neighbours_too(settings, run, fit):
    made = fit(settings(arm="kd", teacher={"etc": 1.0}, trainer={"max_epochs": 1}), run(), "teacher")
    assert "train/loss_etc" in (made.stage("teacher") / "metrics.csv").read_text()


@pytest.mark.slow
def test_consistency_learns_from_the_averaged_network(settings, run, fit):
    sure = {"weight": 1.0, "ramp": 0.0, "confidence": 0.0}
    made = fit(settings(student={"consistency": sure, "supervised": 0.0}, trainer={"max_epochs": 2}), run())
    with (made.stage("student") / "metrics.csv").open() as stream:
        losses = [
            float(row["train/loss_consistency"]) for row in csv.DictReader(stream) if row["train/loss_consistency"]
        ]
    assert len(losses) == 2
    assert losses[1] < losses[0]


@pytest.mark.parametrize(("arm", "term"), [("etc", "etc"), ("mfd", "mfd")])
@pytest.mark.parametrize("data", [{"neighbours": 0}, {"stride": 5}])
def test_what_learns_from_neighbours_alone_is_refused_without_any(settings, run, fit, data, arm, term):
    the_run = run()
    with pytest.raises(
        ConfigError, match=rf"student\.terms {term} needs neighbours.*data\.clips\.neighbours"
    ) as refusal:
        fit(settings(arm=arm, data=data), the_run)
    assert "\n" not in str(refusal.value)
    assert not the_run.stage("teacher").exists()


def test_neighbours_are_asked_for_only_by_a_student_whose_memory_is_not_there_yet(settings, run, fit):
    alone = {"arm": "mfd", "data": {"neighbours": 0}}
    fit(settings(**alone, teacher_checkpoint="teacher.ckpt"), run(), "teacher")
    need_neighbours(settings(**alone, memory=dict(folder="memory")), run("another"))


@pytest.mark.slow
def test_the_reference_needs_no_teacher_and_remembers_its_flow(settings, run, fit):
    short = {"arm": "etc", "trainer": {"max_epochs": 1}}
    the_run = fit(settings(**short, memory=dict(flow="dis")), run())
    assert not the_run.stage("teacher").exists()
    assert not the_run.stage("memory").exists()
    assert json.loads((the_run.stage("student") / "done.json").read_text())["flow"] == "dis"
    with pytest.raises(RunError, match="flow"):
        fit(settings(**short, memory=dict(flow="dis-fast")), the_run)


@pytest.mark.slow
def test_few_frames_are_trained_from_for_as_many_epochs_as_the_least_number_of_steps_needs(settings, run, fit):
    few = settings(arm="clicks", data={"batch_size": 4}, trainer={"max_epochs": 1, "min_steps": 5})
    the_run = fit(few, run())
    facts = json.loads((the_run.stage("student") / "done.json").read_text())
    with (the_run.stage("student") / "metrics.csv").open() as stream:
        epochs = sum(bool(row["train/loss"]) for row in csv.DictReader(stream))
    frames = len(few.make_data(clicks=the_run.clicks).clips)
    assert facts["epochs"] == epochs == -(-5 // -(-frames // 4)) > 1
    fit(few, the_run)  # it is finished: resumed with the same number
