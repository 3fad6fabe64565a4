"""Promise 3: the same seed gives the same results, and interrupted and resumed equals uninterrupted."""

import csv
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import load_file

from weclick.data.samples import TrainingSamples
from weclick.inference.checkpoint import read_checkpoint
from weclick.pipeline import training
from weclick.pipeline.run import Run
from weclick.signals import Interrupted


def weights(run, stage="student"):
    return load_file(run.stage(stage) / "weights.safetensors")


def metrics(run, stage="student"):
    with (run.stage(stage) / "metrics.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-5, atol=1e-6, msg=name)


def assert_same_rows(ours, theirs):
    assert [row.keys() for row in ours] == [row.keys() for row in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert {name: float(cell) for name, cell in one.items() if cell} == pytest.approx(
            {name: float(cell) for name, cell in other.items() if cell}, rel=1e-5, nan_ok=True
        )


@pytest.mark.slow
def test_same_seed_gives_the_same_memory_metrics_and_weights(settings, run, fit):
    one, two = fit(settings(arm="weclick"), run("one")), fit(settings(arm="weclick"), run("two"))
    for stage in ("teacher", "student"):
        assert metrics(one, stage) == metrics(two, stage)
        first, second = weights(one, stage), weights(two, stage)
        assert all(torch.equal(first[name], second[name]) for name in first)
    memories = [{p.relative_to(r.folder): p.read_bytes() for p in r.folder.glob("memory/*/*.npz")} for r in (one, two)]
    assert memories[0] == memories[1]
    assert len(memories[0]) == 10


def test_other_seed_gives_other_weights(settings, run, fit):
    one, two = (fit(settings(seed=seed, trainer={"max_epochs": 1}), run(str(seed))) for seed in (0, 1))
    assert any(not torch.equal(tensor, weights(two)[name]) for name, tensor in weights(one).items())


LIGHT = {}
DROPPING = {"network": {"name": "fpn", "encoder": "tu-test_efficientnet"}}
"""A network with dropout: a resumed training must drop the same units."""


@pytest.fixture(scope="module")
def uninterrupted(settings, fit, tmp_path_factory):
    """Return a run of a network that nothing interrupted; each is trained once."""
    runs = {}

    def get(network):
        name = network.get("network", {}).get("name", "light")
        if name not in runs:
            run = Run.create(tmp_path_factory.mktemp("runs") / name, "seed: 0\n")
            runs[name] = fit(settings(student=network), run)
        return runs[name]

    return get


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "workers", "network"),
    [(2, 0, LIGHT), (2, 0, DROPPING), (5, 0, LIGHT), (7, 0, LIGHT), (7, 1, LIGHT), (10, 0, LIGHT)],
    ids=["first epoch", "with dropout", "end of an epoch", "second epoch", "with workers", "last step"],
)
def test_interrupted_and_resumed_equals_uninterrupted(
    settings, run, fit, signal_after, uninterrupted, step, workers, network
):
    network_settings = settings(data={"workers": workers}, student=network)
    interrupted, wanted = run(), uninterrupted(network)
    with pytest.raises(Interrupted):
        fit(replace(network_settings, callbacks=signal_after(step)), interrupted)
    assert not (interrupted.stage("student") / "done.json").exists()
    saved = read_checkpoint(interrupted.checkpoint("student", "last"))
    assert saved["global_step"] == (step if step % 5 == 0 else step + 1)  # signals are heeded at the end of a step
    fit(network_settings, interrupted)
    assert_same_weights(weights(interrupted), weights(wanted))
    ours, theirs = (read_checkpoint(r.checkpoint("student", "last")) for r in (interrupted, wanted))
    for part in ("current_model_state", "averaging_state"):
        assert_same_weights(ours[part], theirs[part])
    assert_same_rows(metrics(interrupted), metrics(wanted))


class Killed(BaseException):
    """Stands in for kill -9: nothing of ours handles it."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "time"), [("last.ckpt", 1), ("metrics.csv", 5)], ids=["checkpoint", "validation"])
def test_promise_4_a_killed_and_resumed_run_has_each_row_of_its_metrics_once(
    settings, run, fit, monkeypatch, name, time
):
    replace_file, times = Path.replace, []

    def kill(path, target):
        replace_file(path, target)
        times.append(Path(target).name)
        if times.count(name) == time:
            raise Killed

    killed = run()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "replace", kill)
        fit(settings(), killed)
    fit(settings(), killed)
    kinds = ("lr-AdamW/pg1", "val/miou", "train/loss")
    rows = [(int(row["step"]), *(kind for kind in kinds if row[kind])) for row in metrics(killed)]
    assert rows == [(step, kind) for steps in ((0, 4, 4), (5, 9, 9)) for step, kind in zip(steps, kinds, strict=True)]


def test_a_resumed_run_keeps_one_last_checkpoint(settings, run, fit, signal_after):
    the_run = run()
    with pytest.raises(Interrupted):
        fit(settings(callbacks=signal_after(6)), the_run)
    fit(settings(), the_run)
    assert sorted(path.name for path in the_run.folder.rglob("*.ckpt")) == ["best.ckpt", "last.ckpt"]
    assert read_checkpoint(the_run.checkpoint("student", "last"))["global_step"] == 10


def test_last_is_of_the_last_epoch_even_if_the_best_was_earlier(settings, run, fit):
    the_run = fit(settings(trainer={"max_epochs": 3, "check_val_every_n_epoch": 2}), run())
    assert read_checkpoint(the_run.checkpoint("student", "best"))["global_step"] == 10
    last = read_checkpoint(the_run.checkpoint("student", "last"))
    assert last["global_step"] == 15
    exported = weights(the_run)
    assert all(torch.equal(last["state_dict"][f"network.{name}"], tensor) for name, tensor in exported.items())


def test_a_moved_run_keeps_its_best_checkpoint_until_a_better_one(tmp_path):
    def best(folder):
        return training.StageCheckpoint(tmp_path / folder, filename="best", monitor="val/miou", mode="max")

    before, after = best("here"), best("there")
    path, score = str(tmp_path / "here" / "best.ckpt"), torch.tensor(0.7)
    before.best_model_path, before.best_model_score, before.best_k_models = path, score, {path: score}
    after.load_state_dict(before.state_dict())  # Lightning's own warns, and forgets the score
    assert after.best_model_score == score
    assert after.best_model_path == str(tmp_path / "there" / "best.ckpt")
    assert after.best_k_models == {after.best_model_path: score}


class Stopped(RuntimeError):
    """Raised by a test in the place of a power cut."""


def test_a_run_cut_off_before_its_last_files_is_completed(settings, run, fit, monkeypatch):
    the_run = run()
    with monkeypatch.context() as patch:
        patch.setattr(training, "_finish", Mock(side_effect=Stopped))
        with pytest.raises(Stopped):
            fit(settings(), the_run)
    assert not (the_run.stage("student") / "weights.safetensors").exists()
    fit(settings(), the_run)
    average = read_checkpoint(the_run.checkpoint("student", "last"))["state_dict"]
    assert all(torch.equal(average[f"network.{name}"], tensor) for name, tensor in weights(the_run).items())


def test_resuming_never_reads_what_was_seen(settings, run, fit, signal_after, monkeypatch):
    the_run, read = run(), []
    original = TrainingSamples.__getitem__
    with pytest.raises(Interrupted):
        fit(settings(callbacks=signal_after(2), trainer={"max_epochs": 1}), the_run)

    def noting(self, key):
        read.append(key.position)
        return original(self, key)

    monkeypatch.setattr(TrainingSamples, "__getitem__", noting)
    fit(settings(trainer={"max_epochs": 1}), the_run)
    assert len(read) == 2 * (5 - 3)


def test_a_signal_while_gradients_gather_is_heeded_after_their_step(settings, run, fit, signal_after):
    trainer = {"max_epochs": 1, "accumulate_grad_batches": 2}
    whole = fit(settings(trainer=trainer), run("whole"))
    the_run = run()
    with pytest.raises(Interrupted):
        fit(settings(trainer=trainer, callbacks=signal_after(1)), the_run)
    fit(settings(trainer=trainer), the_run)
    assert_same_weights(weights(the_run), weights(whole))
