import pytest
import torch

from weclick.reporting.means import EpochMeans


class Module:
    def __init__(self):
        self.logged = {}

    def log(self, name, value, **options):
        self.logged[name] = value


def see(means, loss, samples):
    outputs = {"loss": torch.tensor(0.0), "terms": {"loss": torch.tensor(loss), "loss_kd": torch.tensor(2 * loss)}}
    means.on_train_batch_end(None, None, outputs, {"image": torch.zeros(samples, 3, 1, 1)}, 0)


def end(means):
    module = Module()
    means.on_train_epoch_end(None, module)
    return module.logged


def test_means_are_over_samples_and_begin_anew_each_epoch():
    means = EpochMeans()
    see(means, 1.0, 3)
    see(means, 5.0, 1)
    assert end(means) == pytest.approx({"train/loss": 2.0, "train/loss_kd": 4.0})
    see(means, 7.0, 2)
    assert end(means)["train/loss"] == 7.0


def test_an_interrupted_epoch_goes_on_where_it_was(tmp_path):
    before, after = EpochMeans(), EpochMeans()
    see(before, 1.0, 3)
    torch.save(before.state_dict(), tmp_path / "state")
    after.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    see(after, 5.0, 1)
    assert end(after)["train/loss"] == pytest.approx(2.0)


def test_an_epoch_without_batches_logs_nothing():
    assert end(EpochMeans()) == {}
