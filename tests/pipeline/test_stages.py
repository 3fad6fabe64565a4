"""Stages of the pipeline: the memory in parts, online, and what a teacher may not do."""

import numpy as np
import pytest
import torch

from weclick.modules import StudentModule, load_checkpoint, load_weights
from weclick.pipeline.fit import opened_data, recall_source
from weclick.pipeline.settings import MemorySettings


@pytest.fixture(scope="module")
def with_memory(settings, fit, tmp_path_factory):
    """A run whose teacher and memory are finished; only to be read."""
    from weclick.pipeline.run import Run

    made = Run.create(tmp_path_factory.mktemp("runs") / "shared", "seed: 0\n")
    return fit(settings(arm="weclick", trainer={"max_epochs": 1}), made, "teacher", "memory")


@pytest.fixture
def chosen(settings, with_memory):
    """Settings that use the teacher of ``with_memory``."""

    def make(**changes):
        teacher = str(with_memory.checkpoint("teacher", "last"))
        return settings(**{"arm": "weclick", "trainer": {"max_epochs": 1}, "teacher_checkpoint": teacher, **changes})

    return make


def contents(store):
    items = {path.relative_to(store): dict(np.load(path)) for path in store.glob("*/*.npz")}
    return {name: {key: array.tobytes() for key, array in item.items()} for name, item in items.items()}


@pytest.mark.slow
def test_a_memory_built_in_parts_equals_one_built_at_once(chosen, run, fit, with_memory):
    made = run()
    fit(chosen(), made, "memory", shard=(0, 2))
    assert len(contents(made.stage("memory"))) == 5
    assert not (made.stage("memory") / "done.json").exists()
    fit(chosen(), made, "memory", shard=(1, 2))
    assert (made.stage("memory") / "done.json").exists()
    assert contents(made.stage("memory")) == contents(with_memory.stage("memory"))


def test_the_memory_does_not_depend_on_batch_size(chosen, run, fit, with_memory):
    made = fit(chosen(data={"batch_size": 6}), run(), "memory")
    ours, theirs = (
        {path.name: np.load(path)["teacher"].astype(int) for path in r.stage("memory").glob("*/*.npz")}
        for r in (made, with_memory)
    )
    assert all(abs(array - theirs[name]).max() <= 1 for name, array in ours.items())


def losses(settings, run):
    data = opened_data(settings, run)
    data.recall = recall_source(settings, run, data)
    torch.manual_seed(0)
    module = StudentModule(data.classes.to_list(), data.size, arm="weclick", **settings.student).eval()
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    with torch.no_grad():
        return module.loss_terms(module(batch["image"]), batch)


def test_an_online_memory_gives_the_stored_ones_losses(chosen, with_memory):
    plain = {"photometric": 0.0}
    stored = losses(chosen(data=plain), with_memory)
    online = losses(chosen(data=plain, memory=MemorySettings(mode="online")), with_memory)
    assert stored["supervised"] == online["supervised"]
    for term in ("kd", "mfd"):
        assert float(stored[term]) > 0
        assert float(online[term]) == pytest.approx(float(stored[term]), abs=0.02)


@pytest.mark.slow
def test_online_training_never_changes_the_teacher(chosen, run, fit, with_memory):
    before = with_memory.checkpoint("teacher", "last").read_bytes()
    made = fit(chosen(memory=MemorySettings(mode="online")), run())
    assert with_memory.checkpoint("teacher", "last").read_bytes() == before
    assert not made.stage("memory").exists()
    student = load_weights(made.checkpoint("student", "last"))["state_dict"]
    assert student.keys() == load_checkpoint(made.checkpoint("student", "last")).state_dict().keys()
    assert not any(name.startswith(("recall", "teacher")) for name in student)


def test_the_frozen_teacher_stays_as_it_is_in_online_recall(chosen, with_memory):
    settings = chosen(memory=MemorySettings(mode="online"))
    data = opened_data(settings, with_memory)
    data.recall = recall_source(settings, with_memory, data)
    network = data.recall.teacher
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
