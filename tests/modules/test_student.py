import copy
from unittest.mock import Mock

import pytest
import torch

from weclick.data.supplies import Pair
from weclick.flow import warp_to_target
from weclick.losses import Step
from weclick.losses.cross_entropy import partial_cross_entropy
from weclick.losses.distillation import distillation

WEIGHTS = {"absence": 0.5, "crf": 0.25, "kd": 2.0, "mfd": 3.0, "etc": 1.5}
"""A weight for every term that is off by default."""


def terms_of(module, batch, logits=None):
    """Return each active term of a batch, by name."""
    step = Step(module(batch["image"]) if logits is None else logits, batch, module)
    return {term.name: term(step) for term in module.terms}


class Untouchable:
    """Fails when anything of it is read."""

    def __getattribute__(self, name):
        raise AssertionError(f"{name} was read")

    def __getitem__(self, index):
        raise AssertionError("it was read")


@pytest.mark.parametrize("switched_on", [(), *((name,) for name in WEIGHTS), tuple(WEIGHTS)])
def test_a_student_has_the_terms_with_a_weight_and_no_other(make_module, batch, switched_on):
    module = make_module(**{name: WEIGHTS[name] for name in switched_on})
    assert terms_of(module, batch).keys() == {"supervised", *switched_on}


@pytest.mark.parametrize("kind", ["student", "teacher"])
def test_the_loss_is_the_weighted_sum_of_its_terms(make_module, batch, kind):
    weights = WEIGHTS if kind == "student" else {"absence": 0.5, "crf": 0.25}
    module = make_module(kind, **{**weights, "crf": {"weight": 0.25, "ramp": 0.0}}).eval()
    module.trainer = Mock(estimated_stepping_batches=10, global_step=0)
    result = module.training_step(batch, 0)
    loss, logged = result["loss"], result["terms"]
    terms = terms_of(module, batch)
    assert terms.keys() == {"supervised", *weights}
    by_name = {"supervised": 1.0, **weights}
    torch.testing.assert_close(loss, sum(by_name[name] * term for name, term in terms.items()))
    torch.testing.assert_close(logged, {"loss": loss, **{f"loss_{name}": term for name, term in terms.items()}})
    assert not any(term.requires_grad for term in logged.values())
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (10, 0.5), (20, 1.0), (50, 1.0)])
def test_the_weight_of_the_crf_rises_over_its_ramp(make_module, batch, monkeypatch, step, share):
    module = make_module(supervised=0.0, crf={"weight": 0.2, "ramp": 0.2}).eval()
    module.trainer = Mock(estimated_stepping_batches=100)
    monkeypatch.setattr(type(module), "global_step", step)
    result = module.training_step(batch, 0)
    loss, logged = result["loss"], result["terms"]
    assert loss.item() == pytest.approx(0.2 * share * logged["loss_crf"].item())


def test_terms_by_hand(make_module, batch):
    module = make_module(kd={"weight": 1.0, "temperature": 2.0}, mfd=1.0).eval()
    logits = module(batch["image"])
    terms = terms_of(module, batch, logits)
    soft = batch["soft_labels"]
    inside = torch.ones(2, 1, 8, 16)
    inside[..., :2] = 0
    torch.testing.assert_close(terms["supervised"], partial_cross_entropy(logits, batch["labels"]))
    torch.testing.assert_close(terms["kd"], distillation(logits, soft.teacher, inside, temperature=2.0))
    torch.testing.assert_close(terms["mfd"], distillation(logits, soft.memory.probabilities, soft.memory.confidence))


def test_without_distillation_the_soft_labels_are_never_read(make_module, batch):
    module = make_module()
    module.trainer = Mock(estimated_stepping_batches=10, global_step=0)
    with_soft_labels = module.training_step({**batch, "soft_labels": Untouchable()}, 0)
    del batch["soft_labels"]
    torch.testing.assert_close(module.training_step(batch, 0), with_soft_labels)


def test_the_memory_term_ignores_pixels_that_no_neighbour_covers(make_module, batch):
    module = make_module(mfd=1.0).eval()
    logits = module(batch["image"])
    before = terms_of(module, batch, logits)["mfd"]
    memory = batch["soft_labels"].memory
    memory.probabilities.add_((memory.confidence == 0).float())
    torch.testing.assert_close(terms_of(module, batch, logits)["mfd"], before)


def test_the_temporal_term_by_hand(make_module, batch):
    module = make_module(etc=1.0).eval()
    pair = batch["pair"]
    there, inside = warp_to_target(module(pair.image).softmax(1), pair.flow)
    difference = pair.visible * inside * (module(batch["image"]).softmax(1) - there)
    term = terms_of(module, batch)["etc"]
    torch.testing.assert_close(term, difference.square().mean())
    assert term > 0


def test_a_target_without_neighbour_is_left_out_of_the_temporal_term(make_module, batch):
    module = make_module(etc=1.0).eval()
    pair = batch["pair"]
    second = Pair(*(part[1:] for part in pair))
    image, labels = batch["image"][1:], batch["labels"][1:]
    alone = terms_of(module, {**batch, "image": image, "labels": labels, "pair": second})
    both = {**batch, "pair": pair._replace(valid=torch.tensor([False, True]))}
    torch.testing.assert_close(terms_of(module, both)["etc"], alone["etc"])


def test_a_still_video_has_no_temporal_term(make_module, batch):
    module = make_module(etc=1.0).eval()
    pair = batch["pair"]._replace(image=batch["image"], flow=torch.zeros(2, 2, 8, 16))
    assert terms_of(module, {**batch, "pair": pair})["etc"].item() == pytest.approx(0, abs=1e-9)


def test_a_batch_without_neighbours_has_a_temporal_term_of_0_without_gradient(make_module, batch):
    module = make_module(etc=1.0)
    pair = batch["pair"]._replace(valid=torch.tensor([False, False]))
    term = terms_of(module, {**batch, "pair": pair})["etc"]
    term.backward()
    assert term.item() == 0
    assert not any(p.grad.any() for p in module.parameters() if p.grad is not None)


def test_neighbours_do_not_change_how_targets_are_normalised(make_module, batch):
    supervised = []
    for weight in (0.0, 1.0):
        module = make_module(etc=weight)
        supervised.append(terms_of(module, batch)["supervised"])
    assert torch.equal(*supervised)


def test_without_the_temporal_term_the_neighbour_is_never_read(make_module, batch):
    module = make_module()
    module.trainer = Mock(estimated_stepping_batches=10, global_step=0)
    with_pair = module.training_step({**batch, "pair": Untouchable()}, 0)
    del batch["pair"]
    torch.testing.assert_close(module.training_step(batch, 0), with_pair)


def train(module, trainer, data):
    trainer.fit(module, datamodule=data)
    return copy.deepcopy(module.state_dict())


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def online(make_module, make_data, with_online_memory):
    """A teacher for 19 classes, and a data module whose soft labels this teacher computes in every step."""
    data = make_data(crop=(32, 64))
    teacher = make_module("teacher", classes=data.dataset.classes.to_list(), size=data.dataset.size, seed=1).eval()
    return teacher, with_online_memory(data, teacher.network)


def test_promise_1_the_teacher_never_changes_while_the_student_trains(make_module, make_trainer, online, tmp_path):
    teacher, data = online
    before = copy.deepcopy(teacher.state_dict())
    assert any("running_mean" in name for name in before)
    student = make_module(classes=data.dataset.classes.to_list(), size=data.dataset.size, kd=1.0, mfd=1.0)
    untrained = copy.deepcopy(student.state_dict())
    assert not same(train(student, make_trainer(tmp_path), data), untrained)
    assert same(teacher.state_dict(), before)
    assert not teacher.training
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_promise_1_no_teacher_inside_a_student_checkpoint(make_module, make_trainer, online, tmp_path):
    teacher, data = online
    student = make_module(classes=data.dataset.classes.to_list(), size=data.dataset.size, kd=1.0, mfd=1.0)
    alone = make_module(classes=data.dataset.classes.to_list(), size=data.dataset.size)
    trainer = make_trainer(tmp_path)
    trainer.fit(student, datamodule=data)
    trainer.save_checkpoint(tmp_path / "student.ckpt")
    checkpoint = torch.load(tmp_path / "student.ckpt", weights_only=True)
    assert checkpoint["state_dict"].keys() == alone.state_dict().keys()
    assert all(name.startswith("network.") for name in checkpoint["state_dict"])
    teachers = {tensor.numpy().tobytes() for tensor in teacher.state_dict().values() if tensor.numel() > 100}
    assert not teachers & {tensor.numpy().tobytes() for tensor in _tensors(checkpoint)}


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def test_promise_3_training_is_deterministic_for_a_seed(make_module, make_trainer, make_data, tmp_path):
    states = []
    for seed in (0, 0, 1):
        data = make_data(crop=(32, 64), seed=seed)
        module = make_module(classes=data.dataset.classes.to_list(), size=data.dataset.size, seed=seed)
        states.append(train(module, make_trainer(tmp_path), data))
    assert same(states[0], states[1])
    assert not same(states[0], states[2])
