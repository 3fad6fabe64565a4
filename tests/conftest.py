import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from weclick.clicks import Click, ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.data.dataset import DataSet
from weclick.data.index import FrameKey
from weclick.data.masks import simulate_split
from weclick.data.options import ClickOptions, ClipOptions, DrawOptions
from weclick.data.supplies import OnlineMemory
from weclick.synthetic import write_synthetic

from .forkserver import Forked

SIZE = (64, 128)


@pytest.fixture(scope="session", autouse=True)
def quiet_process():
    """No tracker and only one thread, so that results do not depend on the machine."""
    before = os.environ.get("WANDB_MODE")
    os.environ["WANDB_MODE"] = "disabled"
    torch.set_num_threads(1)
    yield
    if before is None:
        del os.environ["WANDB_MODE"]
    else:
        os.environ["WANDB_MODE"] = before


@pytest.fixture(scope="session")
def forked(tmp_path_factory):
    """Start a Python process from a fork of one that has imported all of a training; see :mod:`tests.forkserver`."""
    address = str(tmp_path_factory.mktemp("forks") / "s")
    command = [sys.executable, Path(__file__).with_name("forkserver.py"), address]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as server:
        assert server.stdout.readline() == "ready\n"
        yield lambda *arguments, **options: Forked(address, [*map(str, arguments)], **options)
        server.stdin.close()


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory):
    """A tiny street set in Cityscapes layout, 4 training and 2 validation snippets. Tests must not change it."""
    root = tmp_path_factory.mktemp("data set") / "Straße 1"
    write_synthetic(root, train=4, val=2, frames=4, target=3, size=SIZE)
    return root


@pytest.fixture(scope="session")
def click_file(synthetic_root, tmp_path_factory):
    """Clicks simulated from the training masks of ``synthetic_root``."""
    path = tmp_path_factory.mktemp("clicks") / "clicks.sqlite"
    simulate_split(DataSet.open(synthetic_root).layout, "train", path, rule="center", min_area=20, seed=0)
    return path


GROUPS = {"clicks": ClickOptions, "clips": ClipOptions, "draws": DrawOptions}


def group_data_options(**options):
    """Return options of the data as a plain mapping; keywords are options without their group."""
    grouped = {}
    for name, value in options.items():
        group = next((group for group, kind in GROUPS.items() if name in kind.__dataclass_fields__), None)
        if group is None:
            grouped[name] = value
        else:
            grouped.setdefault(group, {})[name] = value
    return grouped


@pytest.fixture(scope="session")
def data_options():
    """Return options of the data as a plain mapping; see :func:`group_data_options`."""
    return group_data_options


@pytest.fixture(scope="session")
def data_module():
    """Build a data module of a root; keywords are options of the data by name, seed and supplies."""

    def build(root, *, seed=0, supplies=(), **options):
        return ClipDataModule(
            group_data_options(**{"root": str(root), "workers": 0, **options}), seed=seed, supplies=supplies
        )

    return build


@pytest.fixture
def make_data(synthetic_root, click_file, data_module):
    """Build a small data module; keywords override its options."""

    def build(root=synthetic_root, **options):
        return data_module(root, **{"store": str(click_file), "batch_size": 2, "seed": 3, **options})

    return build


@pytest.fixture
def copied(synthetic_root, tmp_path):
    """A copy of the synthetic set, for tests that change it."""
    return shutil.copytree(synthetic_root, tmp_path / "Kopie von Straße 1")


class StillFlow:
    """Estimates no motion."""

    name = "still"

    def __call__(self, target, neighbour):
        return torch.zeros(len(target), 2, *target.shape[-2:])


@pytest.fixture
def with_online_memory():
    """Copy a data module, and add soft labels that a teacher computes in every step.

    The default teacher returns the mean colour of 4 x 4 pixels as logits.
    """

    def attach(data, teacher=lambda images: torch.nn.functional.avg_pool2d(images, 4)):
        supply = OnlineMemory(teacher, StillFlow(), data.dataset.reader, data.options.clips.neighbours)
        return ClipDataModule(data.options, seed=data.seed, dataset=data.dataset, supplies=(supply,))

    return attach


@pytest.fixture(scope="session")
def folder_root(tmp_path_factory):
    """A "folder" data set in which every frame, neighbours too, has a mask, and clicks on frames 2 and 4 of each video."""
    root = tmp_path_factory.mktemp("folder")
    rng = np.random.default_rng(0)
    for video in ("a", "b"):
        for kind in ("frames", "masks"):
            (root / kind / video).mkdir(parents=True)
        for number in range(5):
            image, mask = rng.integers(0, 255, (32, 64, 3), np.uint8), rng.integers(0, 2, (32, 64), np.uint8)
            cv2.imwrite(str(root / "frames" / video / f"{number}.png"), image)
            cv2.imwrite(str(root / "masks" / video / f"{number}.png"), mask)
    (root / "classes.yaml").write_text("[ground, car]\n", encoding="utf-8")
    (root / "splits.yaml").write_text(yaml.safe_dump({"train": ["a"], "val": ["b"]}), encoding="utf-8")
    with ClickStore.create(root / "clicks.sqlite", DataSet.open(root).classes) as store:
        for number in (2, 4):
            store.add(FrameKey("a", number), [Click(10.0, 5.0, 0), Click(40.0, 20.0, 1)], size=(32, 64))
    return root
