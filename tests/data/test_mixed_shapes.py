"""Videos of several shapes in one data set: every frame keeps its shape, in training, memory and evaluation."""

import cv2
import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F

from weclick.clicks import Click, ClickStore
from weclick.conventions import IGNORE_INDEX, FrameKey
from weclick.data.datamodule import ClipDataModule
from weclick.data.dataset import DataSet
from weclick.data.supplies import NeighbourPairs, OnlineMemory, StoredMemory
from weclick.memory.item import quantise
from weclick.memory.store import MemoryStore
from weclick.memory.stream import stream_memory

WIDE, TALL = (96, 192), (192, 96)
SIZES = {"wide": WIDE, "tall": TALL}
SHADES = (40, 120, 200)
"""Grey of the three classes, which divide every frame into vertical stripes."""


class StandingStill:
    name = "still"

    def __call__(self, target, neighbour):
        return torch.zeros(len(target), 2, *target.shape[-2:])


def teacher(images):
    """Sure of the class that has the shade of a pixel."""
    shades = torch.tensor(SHADES).view(1, -1, 1, 1) / 255
    return -400 * (F.avg_pool2d(images, 4)[:, :1] - shades).abs()


def stripes(size):
    return np.broadcast_to(np.arange(size[1]) * 3 // size[1], size).astype(np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A wide and a tall video of four frames each, all with masks; frame 1 of the wide one lies on its side."""
    root = tmp_path_factory.mktemp("mixed")
    for video, size in SIZES.items():
        for split in ("train", "val"):
            for number in range(4):
                shape = size[::-1] if (video, split, number) == ("wide", "train", 1) else size
                for kind, picture in (("frames", np.uint8(SHADES)[stripes(shape)]), ("masks", stripes(shape))):
                    path = root / kind / f"{video} {split}" / f"{number:03}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(path), cv2.merge([picture] * 3) if kind == "frames" else picture)
    (root / "classes.yaml").write_text("[left, middle, right]\n", encoding="utf-8")
    splits = {split: [f"{video} {split}" for video in SIZES] for split in ("train", "val")}
    (root / "splits.yaml").write_text(yaml.safe_dump(splits), encoding="utf-8")
    with ClickStore.create(root / "clicks.sqlite", DataSet.open(root).classes) as store:
        for video, (height, width) in SIZES.items():
            points = [Click(width * (c + 0.5) / 3, height / 2, c) for c in range(3)]
            store.add(FrameKey(f"{video} train", 2), points, status="done", size=(height, width))
    return root


@pytest.fixture
def make_data(root):
    def make(supplies=(), **options):
        chosen = {"root": str(root), "size": (48, 96), "batch_size": 2, "workers": 0, **options}
        chosen["draws"] = {"crop": (64, 64), "scale": (1.0, 1.0), "flip": 0.0, "colour": 0.0}
        return ClipDataModule(chosen, supplies=supplies)

    return make


def batch_of(data):
    [batch] = [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]
    return batch


def class_of_shade(images):
    shades = torch.tensor(SHADES).view(1, -1, 1, 1) / 255
    return (images[:, :1] - shades).abs().argmin(1)


@pytest.mark.parametrize("video", SIZES)
def test_every_frame_keeps_its_shape_and_has_as_many_pixels(root, video):
    data = DataSet.open(root, size=(48, 96))
    frame = next(frame for frame in data.labelled("val") if frame.key.video.startswith(video))
    image, label = data.reader.labelled(frame)
    assert image.shape[:2] == {"wide": (48, 96), "tall": (96, 48)}[video]
    assert label.shape == SIZES[video]


@pytest.mark.parametrize("supervision", ["clicks", "masks"])
def test_a_batch_of_both_shapes_has_every_label_on_its_own_class(make_data, supervision):
    batch = batch_of(make_data(supervision=supervision, batch_size=2 if supervision == "clicks" else 8))
    assert batch["image"].shape[-2:] == (64, 64)
    labelled = batch["labels"] != IGNORE_INDEX
    assert labelled.flatten(1).any(1).all()
    assert torch.equal(batch["labels"][labelled], class_of_shade(batch["image"])[labelled])


def test_what_lies_outside_of_a_frame_is_marked(make_data):
    inside = batch_of(make_data())["inside"]
    shares = sorted(inside.float().flatten(1).mean(1).tolist())
    # crops of 64 x 64 from 48 x 96 and from 96 x 48 both show 48 x 64 pixels of the frame
    assert shares == pytest.approx([0.75, 0.75], abs=1 / 16)  # a row of cells


@pytest.fixture
def store(make_data, tmp_path):
    data, store = make_data(), MemoryStore(tmp_path / "memory", {})
    frames = ({sample["key"]: sample["image"] for sample in batch} for batch in data.frame_loader(data.clips, 4))
    wanted = {clip.target.key: [frame.key for frame in clip.neighbours] for clip in data.clips}
    for key, soft in stream_memory(teacher, StandingStill(), frames, wanted, count=2):
        store.write(key, quantise(soft)[0])
    return store


@pytest.mark.parametrize("kind", ["stored", "online"])
def test_the_memory_of_every_shape_follows_its_draw(make_data, store, kind):
    online = OnlineMemory(teacher, StandingStill(), make_data().dataset.reader, 2)
    batch = batch_of(make_data([StoredMemory(store) if kind == "stored" else online]))
    soft, grey = batch["soft_labels"], batch["image"][:, :1]
    plain = (F.max_pool2d(grey, 4) == -F.max_pool2d(-grey, 4))[:, 0] & batch["inside"][:, 0]  # not on a border
    shown = class_of_shade(F.avg_pool2d(grey, 4))
    assert plain.flatten(1).float().mean(1).min() > 0.5
    for maps in (soft.teacher, soft.memory.probabilities):
        sure = plain & (maps.sum(1) > 0.5)  # no vote counts on the target whose neighbours are of another shape
        assert torch.equal(maps.argmax(1)[sure], shown[sure])
    covered = soft.memory.confidence[:, 0].flatten(1).amax(1)
    # one of the two neighbours of the wide target lies on its side, so it has no vote
    assert sorted(covered.tolist()) == pytest.approx([0.5, 1.0], abs=0.01)


def test_a_neighbour_of_another_shape_is_no_pair(make_data):
    data = make_data([NeighbourPairs(StandingStill(), make_data().dataset.reader)])
    assert sorted(batch_of(data)["pair"].valid.tolist()) == [False, True]


def test_frames_of_both_shapes_are_evaluated_in_one_batch(make_data):
    data = make_data(batch_size=8)
    [batch] = list(data.val_dataloader())
    batch = data.on_after_batch_transfer(batch, 0)
    assert {tuple(image.shape) for image in batch["image"]} == {(3, 48, 96), (3, 96, 48)}
    assert {tuple(label.shape) for label in batch["label"]} == {WIDE, TALL}
