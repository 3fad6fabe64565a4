from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

from weclick.modules.averaging import HorizonAveraging

STEPS = 8


class Falling(pl.LightningModule):
    """Its weight is -t after step t; a float buffer has the same values, an integer buffer counts up."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.validated = []

    def training_step(self, batch, batch_idx):
        self.mean -= 1
        self.count += 1
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.weight.item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Saving(pl.Callback):
    """Saves after every epoch, and may stop there like an interrupted run."""

    def __init__(self, path, stop=False):
        self.path, self.stop = path, stop

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint(self.path)
        trainer.should_stop = self.stop


def averages(horizon):
    """Return the averages by hand: the mean of all steps until the horizon is full, then steps of 1 / horizon."""
    values, average = [], 0.0
    for done in range(STEPS):
        current = -(done + 1.0)
        share = 1 / min(max(horizon, 1), done + 1)
        average += share * (current - average)
        values.append(average)
    return values


@pytest.fixture
def trainer(tmp_path):
    def build(horizon, **options):
        return pl.Trainer(
            **{
                "accelerator": "cpu",
                "max_steps": STEPS,
                "callbacks": [HorizonAveraging(horizon), Saving(tmp_path / "last.ckpt")],
                "logger": False,
                "enable_checkpointing": False,
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "default_root_dir": tmp_path,
                "num_sanity_val_steps": 0,
                **options,
            }
        )

    return build


def loader(length=STEPS):
    return DataLoader(torch.zeros(length), batch_size=1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("horizon", [0.5, 0.05, 1.0])
def test_the_average_is_kept_over_its_horizon_by_hand(trainer, tmp_path, horizon):
    module = Falling()
    trainer(horizon).fit(module, loader())
    expected = averages(horizon * STEPS)[-1]
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["state_dict"]["weight"].item() == pytest.approx(expected)
    assert checkpoint["state_dict"]["mean"].item() == pytest.approx(expected)
    assert checkpoint["state_dict"]["count"] == STEPS
    assert checkpoint["current_model_state"]["weight"].item() == -STEPS
    assert module.weight.item() == pytest.approx(expected)  # the module keeps it after training, for export


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_the_average_is_what_is_validated(trainer):
    module = Falling()
    trainer(0.5).fit(module, loader(4), loader(1))
    assert module.validated == pytest.approx([averages(4)[3], averages(4)[7]])


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*Checkpoint directory")
def test_promise_3_a_resumed_average_equals_an_uninterrupted_one(trainer, tmp_path):
    half, rest = Falling(), Falling()
    half_way = tmp_path / "half.ckpt"
    trainer(0.5, callbacks=[HorizonAveraging(0.5), Saving(half_way, stop=True)]).fit(half, loader(4))
    assert torch.load(half_way, weights_only=True)["global_step"] == 4
    trainer(0.5).fit(rest, loader(4), ckpt_path=half_way, weights_only=True)
    assert rest.weight.item() == pytest.approx(averages(4)[-1])


def test_the_average_is_on_the_modules_device():
    module, callback = Falling(), HorizonAveraging(0.5)
    trainer = SimpleNamespace(estimated_stepping_batches=STEPS)
    callback.setup(trainer, module, "fit")  # Lightning's order: it makes the average while the module is on the CPU
    module.to("meta")
    callback.on_fit_start(trainer, module)
    average = callback._average_model.module
    assert {tensor.device.type for tensor in (*average.parameters(), *average.buffers())} == {"meta"}
