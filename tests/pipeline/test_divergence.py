"""Batches whose loss or gradients are not finite: a few are skipped, and a training that has diverged ends."""

from dataclasses import replace
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from torch import distributed

from weclick.data.datamodule import ClipDataModule
from weclick.errors import TrainingError
from weclick.inference.checkpoint import read_checkpoint
from weclick.losses.terms import CrossEntropy
from weclick.reporting.stages import read_metrics


class Diverging(pl.Callback):
    """Makes a weight infinite after the last step."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == trainer.estimated_stepping_batches:
            next(pl_module.parameters()).data.fill_(torch.inf)


class InfiniteGradients(pl.Callback):
    """Makes the gradients of a step infinite."""

    def __init__(self, step):
        self.step = step

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if trainer.global_step == self.step:
            next(pl_module.parameters()).grad.fill_(torch.inf)


class States(pl.Callback):
    """Keeps a copy of weights and buffers after every step."""

    def __init__(self):
        self.after = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.after.append({name: tensor.clone() for name, tensor in pl_module.state_dict().items()})


@pytest.fixture
def damage(monkeypatch):
    """Make images of some batches, numbered from 0 over the whole test, not a number."""
    finish, count = ClipDataModule.on_after_batch_transfer, iter(range(1000))

    def call(*numbers):
        def spoil(self, batch, dataloader_idx):
            batch = finish(self, batch, dataloader_idx)
            if "labels" in batch and next(count) in numbers:
                batch["image"][-1, :, 3, 5] = torch.nan
            return batch

        monkeypatch.setattr(ClipDataModule, "on_after_batch_transfer", spoil)

    return call


@pytest.fixture
def fit_noticed(fit, monkeypatch):
    """Fit, and return the warnings of skipped batches; the fixture fit ignores warnings."""
    noticed = []
    monkeypatch.setattr(
        "weclick.modules.skips.warnings", SimpleNamespace(warn=lambda text, **options: noticed.append(text))
    )

    def call(*arguments):
        fit(*arguments)
        return noticed

    return call


def test_its_last_step_is_refused_and_its_last_good_checkpoint_stays(settings, run, fit):
    the_run = run()
    with pytest.raises(TrainingError, match=r"weights .* no longer finite at step 10; .*learning_rate \(now "):
        fit(replace(settings(), callbacks=lambda: [Diverging()]), the_run)
    folder = the_run.stage("student")
    assert not (folder / "done.json").exists()
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 5  # of the first epoch
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_batch_that_is_not_finite_changes_nothing_and_is_kept(settings, run, fit_noticed, damage):
    the_run, states = run(), States()
    damage(3)
    (warning,) = fit_noticed(replace(settings(), callbacks=lambda: [states]), the_run)
    folder = the_run.stage("student")
    (file,) = (folder / "skipped").iterdir()
    kept = torch.load(file, weights_only=True)
    assert kept["batch"]["image"].isnan().any((1, 2, 3)).tolist() == [False, True]
    assert kept["batch"]["labels"].shape == (2, 64, 64)
    _, damaged = kept["frames"]
    assert warning == (
        "the student's supervised loss became nan at step 3; the batch is skipped and kept in "
        f"{file} (its images are not finite: frames {damaged})"
    )
    changed = [
        any(not torch.equal(before[name], after[name]) for name in before)
        for before, after in zip(states.after, states.after[1:], strict=False)
    ]
    assert changed == [True, True, False, *[True] * 6]
    assert all(tensor.isfinite().all() for tensor in states.after[-1].values())
    last = read_checkpoint(folder / "last.ckpt")
    assert last["global_step"] == 10
    assert all(tensor.isfinite().all() for tensor in last["state_dict"].values())
    assert all(row["train/loss"] > 0 for row in read_metrics(folder / "metrics.csv") if "train/loss" in row)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_gradients_that_are_not_finite_change_nothing(settings, run, fit_noticed, accumulated):
    the_run, states = run(), States()
    chosen = settings(trainer={"accumulate_grad_batches": accumulated})
    (warning,) = fit_noticed(replace(chosen, callbacks=lambda: [InfiniteGradients(2), states]), the_run)
    kept = torch.load(next((the_run.stage("student") / "skipped").iterdir()), weights_only=True)
    assert len(kept["frames"]) == 2  # of the batch; of its last part there are tensors
    assert len(kept["batch"]["image"]) == 2 // accumulated
    assert "gradients were not finite at step 2" in warning
    before, after = (
        {name: tensor for name, tensor in states.after[number].items() if "running" not in name and "num_" not in name}
        for number in (2 * accumulated - 1, 3 * accumulated - 1)
    )
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_of_an_accumulated_step_the_parts_that_are_finite_count(settings, run, fit_noticed, damage):
    the_run, states = run(), States()
    damage(0, 1, 3)  # both parts of the first step, and one of the second
    warnings = fit_noticed(
        replace(settings(trainer={"accumulate_grad_batches": 2}), callbacks=lambda: [states]), the_run
    )
    assert len(warnings) == 3
    weights = [state["network.body.classifier.weight"] for state in states.after]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[3])


def test_the_fourth_batch_in_a_row_stops_the_training(settings, run, fit_noticed, damage):
    damage(5, 6, 7, 8)
    the_run = run()
    message = r"loss became nan at step 8; 3 batches in a row were skipped before, see .*skipped: .*learning_rate \(now"
    with pytest.raises(TrainingError, match=message):
        fit_noticed(settings(), the_run)
    folder = the_run.stage("student")
    assert len(list((folder / "skipped").iterdir())) == 4
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 5


def test_batches_in_all_are_counted_over_a_resume(settings, run, fit_noticed, damage, signal_after):
    damage(*range(1, 100, 2))
    the_run, many = run(), settings(trainer={"max_epochs": 6})
    with pytest.raises(BaseException, match="SIGTERM"):
        fit_noticed(replace(many, callbacks=signal_after(7)), the_run)
    assert read_checkpoint(the_run.stage("student") / "last.ckpt")["weclick_skipped"] == [1, 4]
    with pytest.raises(TrainingError, match=r"loss became nan at step 21; 10 batches were skipped before"):
        fit_noticed(many, the_run)


def test_several_processes_skip_together_and_the_one_that_is_not_finite_keeps_its_share(
    settings, run, fit, monkeypatch
):
    term, calls = CrossEntropy.__call__, iter(range(1000))

    def spoiled(self, step):
        late = distributed.get_rank() == 1 and next(calls) == 2
        return term(self, step) * (torch.inf if late else 1.0)

    monkeypatch.setattr(CrossEntropy, "__call__", spoiled)
    the_run = run()
    fit(settings(trainer={"strategy": "ddp_fork", "devices": 2, "max_epochs": 1}), the_run)
    folder = the_run.stage("student")
    assert [path.name for path in (folder / "skipped").iterdir()] == ["step-000002-process-1.pt"]
    last = read_checkpoint(folder / "last.ckpt")
    assert (last["global_step"], last["weclick_skipped"]) == (5, [0, 1])
    assert all(tensor.isfinite().all() for tensor in last["state_dict"].values())
