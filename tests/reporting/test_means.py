import json
import os
from types import SimpleNamespace

import pytest
import torch

from weclick.reporting.means import EpochMeans

ALONE = SimpleNamespace(world_size=1, global_rank=0, loggers=())


class Module:
    def __init__(self):
        self.logged = {}

    def log(self, name, value, **options):
        self.logged[name] = value


def see(means, loss, samples):
    outputs = {"loss": torch.tensor(0.0), "terms": {"loss": torch.tensor(loss), "loss_kd": torch.tensor(2 * loss)}}
    means.on_train_batch_end(ALONE, None, outputs, {"image": torch.zeros(samples, 3, 1, 1)}, 0)


def end(means):
    module = Module()
    means.on_train_epoch_end(ALONE, module)
    return module.logged


def test_means_are_over_samples_and_start_again_each_epoch():
    means = EpochMeans()
    see(means, 1.0, 3)
    see(means, 5.0, 1)
    assert end(means) == pytest.approx({"train/loss": 2.0, "train/loss_kd": 4.0})
    see(means, 7.0, 2)
    assert end(means)["train/loss"] == 7.0


def test_an_interrupted_epoch_goes_on_where_it_was(tmp_path):
    before, after, checkpoint = EpochMeans(), EpochMeans(), {}
    see(before, 1.0, 3)
    before.on_save_checkpoint(ALONE, None, checkpoint)
    see(before, 9.0, 9)  # what is saved does not change any more
    torch.save(checkpoint, tmp_path / "last.ckpt")
    after.on_load_checkpoint(ALONE, None, torch.load(tmp_path / "last.ckpt", weights_only=True))
    see(after, 5.0, 1)
    assert end(after)["train/loss"] == pytest.approx(2.0)


def test_an_epoch_without_batches_logs_nothing():
    assert end(EpochMeans()) == {}


PROCESS = """
import json, sys
from types import SimpleNamespace

import torch
from lightning.pytorch.strategies import DDPStrategy

from weclick.reporting.means import EpochMeans

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
strategy = DDPStrategy(parallel_devices=[torch.device("cpu")])
trainer = SimpleNamespace(world_size=2, global_rank=rank, loggers=(), strategy=strategy)
logged = []
module = SimpleNamespace(log=lambda name, value, **options: logged.append((name, float(value))))


def see(means, loss, samples):
    outputs = {"terms": {"loss": torch.tensor(loss)}}
    means.on_train_batch_end(trainer, module, outputs, {"image": torch.zeros(samples, 3, 1, 1)}, 0)


for resumed in (False, True):
    means = EpochMeans()
    see(means, *[(1.0, 3), (8.0, 1)][rank])
    if resumed:
        checkpoint = {}
        means.on_save_checkpoint(trainer, module, checkpoint)
        written = [checkpoint]  # by the first process, and read by all
        torch.distributed.broadcast_object_list(written, src=0)
        means = EpochMeans()
        means.on_load_checkpoint(trainer, module, written[0])
    see(means, *[(5.0, 1), (2.0, 3)][rank])
    means.on_train_epoch_end(trainer, module)
print(json.dumps(logged))
torch.distributed.destroy_process_group()
"""


def test_means_are_over_the_samples_of_all_processes_also_when_resumed(forked, tmp_path):
    processes = [forked("-c", PROCESS, rank, tmp_path, cwd=tmp_path, env=os.environ) for rank in (0, 1)]
    results = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    for out, err, status in results:
        assert status == 0, err
        assert json.loads(out) == [["train/loss", pytest.approx((3 + 8 + 5 + 6) / 8)]] * 2
