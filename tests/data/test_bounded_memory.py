"""Promise 8: the number of frames in memory depends on the batch size, not on the data set."""

import gc
import weakref

import cv2
import numpy as np
import pytest
import torch

from weclick import images
from weclick.data.masks import simulate_split

SIZE = (32, 64)


@pytest.fixture
def make_root(tmp_path):
    """Write a folder data set of a training and a validation video of this many frames, all with masks."""

    def make(count):
        root = tmp_path / f"of {count}"
        for video, length in (("a", count), ("b", count)):
            for kind in ("frames", "masks"):
                (root / kind / video).mkdir(parents=True)
            for number in range(length):
                cv2.imwrite(str(root / "frames" / video / f"{number}.png"), np.full((*SIZE, 3), number, np.uint8))
                cv2.imwrite(str(root / "masks" / video / f"{number}.png"), np.zeros(SIZE, np.uint8))
        (root / "classes.yaml").write_text("[ground]", encoding="utf-8")
        (root / "splits.yaml").write_text("train: [a]\nval: [b]", encoding="utf-8")
        return root

    return make


class Held:
    """Counts the images that were read and are still referenced."""

    def __init__(self, read):
        self.read, self.alive, self.most, self.total = read, weakref.WeakSet(), 0, 0

    def __call__(self, *arguments):
        image = self.read(*arguments).view(_Watched)
        self.alive.add(image)
        self.total += 1
        self.most = max(self.most, len(self.alive))
        return image


class _Watched(np.ndarray):
    """An array that can be hashed, by identity."""

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other


@pytest.fixture
def held(monkeypatch):
    gc.collect()
    counter = Held(images._decode_rgb)
    monkeypatch.setattr(images, "_decode_rgb", counter)
    return counter


def large_tensors():
    """Return the number of existing tensors of a frame's size or more."""
    gc.collect()
    return sum(issubclass(type(o), torch.Tensor) and o.numel() >= SIZE[0] * SIZE[1] for o in gc.get_objects())


def passes(data):
    yield data.train_dataloader()
    yield data.frame_loader(data.clips)
    yield data.val_dataloader()


@pytest.mark.parametrize("which", [0, 1, 2], ids=["training", "memory", "evaluation"])
def test_promise_8_a_pass_holds_a_batch_of_frames_however_long_the_video(make_root, held, which, data_module):
    most = []
    for count in (8, 40):
        root = make_root(count)
        store = root.with_suffix(".sqlite")
        data = data_module(root, size=SIZE, crop=SIZE, batch_size=2, store=str(store))
        simulate_split(data.dataset.layout, "train", store, rule="center", min_area=1, seed=0)
        loader = list(passes(data))[which]
        held.most = held.total = 0
        before = large_tensors()
        for batch in loader:
            del batch
        assert large_tensors() <= before
        assert held.total >= count
        most.append(held.most)
    assert most[0] == most[1] <= 8
