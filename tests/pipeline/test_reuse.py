"""What is finished, or begun, is reused only for what it was made with."""

import json
import shutil

import pytest

from weclick.errors import RunError
from weclick.pipeline.fit import check
from weclick.pipeline.inputs import teacher_needs
from weclick.pipeline.run import Run


@pytest.fixture(scope="module")
def finished(settings, fit, tmp_path_factory):
    """A finished run of the arm weclick; only to be read."""
    the_run = Run.create(tmp_path_factory.mktemp("runs") / "finished", "seed: 0\n")
    return fit(settings(arm="weclick", trainer={"max_epochs": 1}), the_run)


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of ``finished`` to be changed."""
    return Run(shutil.copytree(finished.folder, tmp_path / "copy"))


@pytest.fixture
def weclick(settings):
    """Settings of ``finished``, some replaced."""
    return lambda **changes: settings(**{"arm": "weclick", "trainer": {"max_epochs": 1}, **changes})


def begun(run):
    """Make a finished student one that was interrupted."""
    (run.stage("student") / "done.json").rename(run.stage("student") / "begun.json")
    return run


def test_a_student_is_not_taken_for_one_of_another_use_of_the_memory(weclick, fit, copy):
    fit(weclick(), copy)
    with pytest.raises(RunError, match=r"student .* finished, with other memory\.restricted"):
        fit(weclick(memory=dict(restricted=True)), copy)


def test_a_student_is_not_taken_for_one_of_another_memory(weclick, fit, copy):
    other = weclick(memory=dict(flow="dis-fast"))
    shutil.rmtree(copy.stage("memory"))
    with pytest.raises(RunError, match=r"student .* finished, with other memory\.flow"):
        fit(other, copy)


def test_a_student_is_not_taken_for_one_of_another_teacher(weclick, fit, copy):
    for stage in ("teacher", "memory"):
        shutil.rmtree(copy.stage(stage))
    with pytest.raises(RunError, match=r"student .* finished, with other memory\.teacher"):
        fit(weclick(teacher={"optimiser": {"learning_rate": 0.02}}), copy)


def test_a_teacher_that_compares_neighbours_is_not_taken_for_one_of_another_flow_or_other_clips(settings):
    def facts(**changes):
        chosen = settings(arm="weclick", teacher={"etc": {"weight": 0.1}}, **changes)
        return teacher_needs(chosen)

    assert facts(memory={"flow": "dis-fast"}) != facts()
    assert facts(data={"clips": {"stride": 2}}) != facts()


def test_an_interrupted_student_goes_on_with_its_own_settings_only(weclick, fit, copy):
    begun(copy)
    with pytest.raises(RunError, match=r"student .* begun, with other student\.optimiser\.learning_rate;"):
        fit(weclick(student={"optimiser": {"learning_rate": 0.5}}), copy, "student")
    with pytest.raises(RunError, match=r"data\.batch_size"):
        fit(weclick(data={"batch_size": 5}), copy, "student")
    fit(weclick(data={"workers": 1}), copy, "student")
    assert (copy.stage("student") / "done.json").exists()


def test_what_has_no_checkpoint_yet_may_begin_anew(weclick, fit, copy):
    begun(copy)
    for checkpoint in copy.stage("student").glob("*.ckpt"):
        checkpoint.unlink()
    fit(weclick(student={"optimiser": {"learning_rate": 0.02}}), copy, "student")
    stored = json.loads((copy.stage("student") / "done.json").read_text(encoding="utf-8"))
    assert stored["student"]["optimiser"]["learning_rate"] == 0.02


def test_places_and_loader_processes_may_change_while_a_run_goes_on(weclick, fit, copy):
    before = (copy.stage("student") / "last.ckpt").stat().st_mtime_ns
    for stage in ("teacher", "student"):
        file = copy.stage(stage) / "done.json"
        facts = json.loads(file.read_text(encoding="utf-8"))
        facts["data"] |= {"root": "/elsewhere", "workers": None}
        facts["data"]["clicks"]["store"] = "/elsewhere/clicks.sqlite"
        file.write_text(json.dumps(facts), encoding="utf-8")
    fit(weclick(), copy)
    assert (copy.stage("student") / "last.ckpt").stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"with other epochs; set them as they were"):
        fit(weclick(trainer={"max_epochs": 2}), copy, "student")


def test_a_stage_of_a_version_with_other_options_is_refused(weclick, fit, copy):
    file = copy.stage("student") / "done.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    facts["student"] = {"kd_weight": 1.0, "learning_rate": 0.001}
    file.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(RunError, match=r"student .* finished, with other .*student\.terms.* start a new run"):
        fit(weclick(), copy, "student")


def test_data_may_be_moved(weclick, fit, copy, street, tmp_path):
    moved = shutil.copytree(street, tmp_path / "moved")
    before = (copy.stage("student") / "last.ckpt").stat().st_mtime_ns
    fit(weclick(data={"root": str(moved)}), copy)
    assert (copy.stage("student") / "last.ckpt").stat().st_mtime_ns == before


def test_a_memory_of_another_size_is_refused(weclick, finished):
    with pytest.raises(RunError, match=r"memory\.folder .* another size"):
        check(weclick(memory=dict(folder=str(finished.stage("memory"))), data={"size": [32, 64]}))


def test_parts_of_a_memory_may_be_built_at_the_same_time(copy):
    with copy.locked(shared=True):
        with copy.locked(shared=True):
            pass
        with pytest.raises(RunError, match="another process"), copy.locked():
            pass


@pytest.mark.parametrize("stage", ["teacher", "student"])
def test_a_stage_is_not_finished_without_its_checkpoint(weclick, fit, copy, stage):
    last = copy.checkpoint(stage, "last")
    last.write_bytes(last.read_bytes()[:-1000])
    with pytest.raises(RunError, match=rf"{stage} .* finished, but {last} is damaged; .* delete"):
        fit(weclick(), copy)
    last.unlink()
    with pytest.raises(RunError, match=rf"{stage} .* finished, but {last} is missing; .* delete"):
        fit(weclick(), copy)


def test_a_damaged_teacher_is_not_taken_for_another_one(weclick, fit, copy):
    copy.checkpoint("teacher", "last").write_bytes(b"")
    with pytest.raises(RunError, match=r"teacher .*last\.ckpt is damaged"):
        fit(weclick(), copy, "memory")


@pytest.mark.parametrize("name", ["begun.json", "done.json"])
@pytest.mark.parametrize("content", [b"", b'{"data": ', b"[1]", b"\xff"])
def test_damaged_settings_of_a_stage_are_refused_by_file(tmp_path, name, content):
    run = Run.create(tmp_path / "run", "seed: 0\n")
    run.stage("student").mkdir()
    run.checkpoint("student", "last").touch()
    (run.stage("student") / name).write_bytes(content)
    with pytest.raises(RunError, match=rf"student/{name} is damaged \(.*\); put it back, or delete .*student"):
        run.begin("student", {})
