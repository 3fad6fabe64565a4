import copy

import pytest
import torch

from weclick.losses import distillation, partial_cross_entropy
from weclick.modules import ARMS

TERMS = {
    "clicks": {"supervised"},
    "kd": {"supervised", "kd"},
    "mfd": {"supervised", "mfd"},
    "weclick": {"supervised", "kd", "mfd"},
    "full": {"supervised"},
}


class Untouchable:
    """Fails whoever looks at it."""

    def __getattribute__(self, name):
        raise AssertionError(f"recall.{name} was read")

    def __getitem__(self, index):
        raise AssertionError("the recall was read")


@pytest.mark.parametrize("arm", ARMS)
def test_each_arm_has_its_terms_and_no_other(make_module, batch, arm):
    module = make_module(arm=arm)
    assert module.loss_terms(module(batch["image"]), batch).keys() == TERMS[arm]
    assert module.arm.needs_teacher == bool(TERMS[arm] - {"supervised"})
    assert module.arm.supervision == ("masks" if arm == "full" else "clicks")


@pytest.mark.parametrize("arm", ARMS)
def test_the_loss_is_the_weighted_sum_of_the_arms_terms(make_module, batch, arm):
    module = make_module(arm=arm, kd_weight=0.5, mfd_weight=3.0).eval()
    loss, told = module.training_step(batch, 0).values()
    weights = {"supervised": 1.0, "kd": 0.5, "mfd": 3.0}
    terms = module.loss_terms(module(batch["image"]), batch)
    torch.testing.assert_close(loss, sum(weights[name] * term for name, term in terms.items()))
    torch.testing.assert_close(told, {"loss": loss, **{f"loss_{name}": term for name, term in terms.items()}})
    assert not any(term.requires_grad for term in told.values())
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_terms_by_hand(make_module, batch):
    module = make_module(arm="weclick", temperature=2.0).eval()
    logits = module(batch["image"])
    terms = module.loss_terms(logits, batch)
    recall = batch["recall"]
    inside = torch.ones(2, 1, 8, 16)
    inside[..., :2] = 0
    torch.testing.assert_close(terms["supervised"], partial_cross_entropy(logits, batch["labels"]))
    torch.testing.assert_close(terms["kd"], distillation(logits, recall.teacher, inside, temperature=2.0))
    torch.testing.assert_close(
        terms["mfd"], distillation(logits, recall.memory.probabilities, recall.memory.confidence)
    )


@pytest.mark.parametrize("arm", ["clicks", "full"])
def test_arms_without_teacher_never_read_the_recall(make_module, batch, arm):
    module = make_module(arm=arm)
    with_recall = module.training_step({**batch, "recall": Untouchable()}, 0)
    del batch["recall"]
    torch.testing.assert_close(module.training_step(batch, 0), with_recall)


def test_the_memory_term_ignores_what_no_neighbour_knows(make_module, batch):
    module = make_module(arm="mfd").eval()
    logits = module(batch["image"])
    before = module.loss_terms(logits, batch)["mfd"]
    memory = batch["recall"].memory
    memory.probabilities.add_((memory.confidence == 0).float())
    torch.testing.assert_close(module.loss_terms(logits, batch)["mfd"], before)


def test_an_unknown_arm_is_refused(make_module):
    with pytest.raises(KeyError):
        make_module(arm="nonsense")


def train(module, trainer, data):
    trainer.fit(module, datamodule=data)
    return copy.deepcopy(module.state_dict())


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def online(make_module, make_data, online_recall):
    """A teacher for 19 classes and a data module whose recall asks it in every step."""
    data = make_data(crop=(32, 64))
    teacher = make_module("teacher", classes=data.classes.to_list(), size=data.size, seed=1).eval()
    return teacher, online_recall(data, teacher.network)


def test_promise_1_the_teacher_never_changes_while_the_student_trains(make_module, make_trainer, online, tmp_path):
    teacher, data = online
    before = copy.deepcopy(teacher.state_dict())
    assert any("running_mean" in name for name in before)
    student = make_module(classes=data.classes.to_list(), size=data.size, arm="weclick")
    untrained = copy.deepcopy(student.state_dict())
    assert not same(train(student, make_trainer(tmp_path), data), untrained)
    assert same(teacher.state_dict(), before)
    assert not teacher.training
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_promise_1_no_teacher_inside_a_student_checkpoint(make_module, make_trainer, online, tmp_path):
    teacher, data = online
    student = make_module(classes=data.classes.to_list(), size=data.size, arm="weclick")
    alone = make_module(classes=data.classes.to_list(), size=data.size, arm="clicks")
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
        module = make_module(classes=data.classes.to_list(), size=data.size, arm="clicks", seed=seed)
        states.append(train(module, make_trainer(tmp_path), data))
    assert same(states[0], states[1])
    assert not same(states[0], states[2])
