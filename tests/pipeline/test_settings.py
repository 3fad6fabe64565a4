from dataclasses import replace

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only

from weclick.errors import ConfigError
from weclick.pipeline.settings import Engine


@pytest.fixture
def four_gpus(monkeypatch):
    """As if this machine had four GPUs; nothing is run on them."""
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # which Lightning sets for the whole process
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)


@pytest.mark.parametrize("rank", [None, 1])
@pytest.mark.parametrize("devices", [[1], "2,", [2, 3], 2, -1, "auto"])
def test_memory_and_evaluation_use_the_device_that_trains(settings, four_gpus, monkeypatch, devices, rank):
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", str(rank))
    options = {"accelerator": "auto", "devices": devices}
    trainer = pl.Trainer(**options, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    device = settings(trainer=options).device
    assert device == trainer.strategy.root_device
    assert device.type == "cuda"


def test_a_device_that_is_not_there_is_refused(settings, four_gpus):
    with pytest.raises(ConfigError, match=r"\[7\].*trainer options"):
        settings(trainer={"accelerator": "gpu", "devices": [7]}).device  # noqa: B018


def test_several_processes_on_the_cpu_share_it(settings):
    assert settings(trainer={"devices": 2}).device.type == "cpu"


@pytest.mark.parametrize("devices", [[1], 2, "2,"])
def test_what_was_trained_on_several_gpus_is_evaluated_where_there_is_none(settings, devices):
    assert settings(trainer={"accelerator": "auto", "devices": devices}).evaluation_device.type == "cpu"


def test_evaluation_uses_a_gpu_that_is_there(settings, four_gpus):
    devices = [settings(trainer={"accelerator": "gpu", "devices": devices}).evaluation_device for devices in ([3], [7])]
    assert [device.index for device in devices] == [3, 0]


@pytest.mark.parametrize(("options", "processes"), [({}, 8), ({"devices": 2}, 4), ({"devices": 2, "num_nodes": 4}, 8)])
def test_processes_of_a_launcher_are_devices_unless_the_config_states_them(settings, monkeypatch, options, processes):
    for name, value in {"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    assert settings(trainer=options).processes == processes


class OfThree(LightningEnvironment):
    """A cluster of three processes, of which this is the first."""

    def world_size(self):
        return 3


def test_an_engine_decides_where_a_fit_runs_and_serves_every_stage(settings):
    engine = Engine(DDPStrategy(), (OfThree(),))
    chosen = replace(settings(), engine=engine)
    assert [chosen.make_bare_trainer().world_size for _ in ("teacher", "student")] == [3, 3]
    assert isinstance(chosen.make_bare_trainer().strategy, DDPStrategy)
    assert chosen == settings()  # no result depends on it


def test_the_settings_choose_the_flows_scale_and_the_manifest_names_it(settings):
    device = torch.device("cpu")
    for scale, name in ((1.0, "dis"), (0.5, "dis at 0.5")):
        chosen = settings(memory={"flow": "dis", "flow_scale": scale})
        assert chosen.make_flow(device).name == chosen.flow_name(device) == name
