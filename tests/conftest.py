import os
import shutil

import cv2
import numpy as np
import pytest
import torch
import yaml

from weclick.clicks import Click, ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.data.index import FrameKey
from weclick.data.masks import simulate_split
from weclick.data.recall import OnlineMemory
from weclick.data.samples import RawClip
from weclick.synthetic import write_synthetic

SIZE = (64, 128)


@pytest.fixture(scope="session", autouse=True)
def quiet_process():
    """No tracker, and no more threads than one: results and timings do not depend on the machine's load."""
    before = os.environ.get("WANDB_MODE")
    os.environ["WANDB_MODE"] = "disabled"
    torch.set_num_threads(1)
    yield
    if before is None:
        del os.environ["WANDB_MODE"]
    else:
        os.environ["WANDB_MODE"] = before


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory):
    """A tiny street set in Cityscapes layout: 4 training and 2 validation snippets; only to be read."""
    root = tmp_path_factory.mktemp("data set") / "Straße 1"
    write_synthetic(root, train=4, val=2, frames=4, target=3, size=SIZE)
    return root


@pytest.fixture(scope="session")
def click_file(synthetic_root, tmp_path_factory):
    """Clicks simulated from the training masks of ``synthetic_root``."""
    path = tmp_path_factory.mktemp("clicks") / "clicks.sqlite"
    layout = ClipDataModule(str(synthetic_root)).layout
    simulate_split(layout, "train", path, rule="center", min_area=20, seed=0)
    return path


@pytest.fixture
def make_data(synthetic_root, click_file):
    """Build a small data module; keywords override its arguments."""

    def build(**options):
        chosen = {"root": str(synthetic_root), "clicks": str(click_file), "batch_size": 2, "workers": 0, "seed": 3}
        return ClipDataModule(**{**chosen, **options})

    return build


@pytest.fixture
def copied(synthetic_root, tmp_path):
    """A copy of the synthetic set, to be damaged."""
    return shutil.copytree(synthetic_root, tmp_path / "Kopie von Straße 1")


class StillFlow:
    """Finds no motion."""

    name = "still"

    def __call__(self, target, neighbour):
        return torch.zeros(len(target), 2, *target.shape[-2:])


@pytest.fixture
def online_recall():
    """Let a data module's recall ask a teacher in every step; without one, the mean colour of 4 x 4 pixels."""

    def attach(data, teacher=lambda images: torch.nn.functional.avg_pool2d(images, 4)):
        data.recall = OnlineMemory(teacher, StillFlow(), RawClip(data.reader, data.neighbours))
        return data

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
    data = ClipDataModule(str(root))
    with ClickStore.create(root / "clicks.sqlite", data.classes) as store:
        for number in (2, 4):
            store.add(FrameKey("a", number), [Click(10.0, 5.0, 0), Click(40.0, 20.0, 1)], size=(32, 64))
    return root
