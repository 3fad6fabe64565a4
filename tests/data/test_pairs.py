from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from weclick.clicks import Click, ClickStore
from weclick.data.dataset import DataSet
from weclick.data.draws import GeometricDraw
from weclick.data.finish import finish
from weclick.data.index import FrameKey
from weclick.data.photometric import Photometric
from weclick.data.sampler import SampleKey
from weclick.data.supplies import NeighbourPairs, Pair
from weclick.flow import DISFlow, warp_to_target

SIZE = (96, 128)
SHIFT = 8
"""Motion from frame 1 to frame 2 to the right, in pixels: two cells of the grid at stride 4."""


class EitherShift:
    """Estimates the direction of ``SHIFT``, which a flip reverses."""

    name = "either"

    def __call__(self, target, neighbour):
        flow = torch.zeros(len(target), 2, *target.shape[-2:])
        for index in range(len(target)):
            errors = {s: (torch.roll(neighbour[index], s, -1) - target[index]).abs().mean() for s in (SHIFT, -SHIFT)}
            flow[index, 0] = -min(errors, key=errors.get)
        return flow


@pytest.fixture
def moving(tmp_path):
    """Frames 0 to 2 of one video without masks; frame 2 shows frame 1 shifted. Frames 0 and 2 are clicked."""
    (tmp_path / "frames" / "a").mkdir(parents=True)
    cells = np.random.default_rng(0).integers(0, 255, (3, SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8)
    frames = cells.repeat(8, 1).repeat(8, 2)
    frames[2] = np.roll(frames[1], SHIFT, 1)
    for number, image in enumerate(frames):
        cv2.imwrite(str(tmp_path / "frames" / "a" / f"{number}.png"), image)
    (tmp_path / "classes.yaml").write_text("[ground, car]\n", encoding="utf-8")
    (tmp_path / "splits.yaml").write_text("train: [a]\n", encoding="utf-8")
    with ClickStore.create(tmp_path / "clicks.sqlite", DataSet.open(tmp_path).classes) as store:
        for number in (0, 2):
            store.add(FrameKey("a", number), [Click(10.0, 5.0, 0)], size=SIZE)
    return tmp_path


@pytest.fixture
def paired(data_module):
    """Build a data module that supplies pairs of target and neighbour."""

    def build(root, flow=None, **options):
        supply = NeighbourPairs(flow or EitherShift(), data_module(root).dataset.reader)
        return data_module(root, batch_size=2, supplies=(supply,), **options)

    return build


def finished(data):
    return data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_neighbour_follows_the_targets_draw_and_the_flow_leads_to_it(moving, flip, paired):
    data = paired(moving, colour=0.0, scale=(1.0, 1.0), flip=flip, crop=(64, 96))
    batch = finished(data)
    pair = batch["pair"]
    assert sorted(pair.valid.tolist()) == [False, True]
    target, neighbour = batch["image"][pair.valid], pair.image[pair.valid]
    moved = -SHIFT if flip == 0.0 else SHIFT
    overlap = (..., slice(SHIFT, None)) if flip == 0.0 else (..., slice(None, -SHIFT))
    assert torch.equal(torch.roll(neighbour, -moved, -1)[overlap], target[overlap])
    assert pair.flow[pair.valid][:, 0].unique().tolist() == [moved / 4]
    assert not pair.flow[pair.valid][:, 1].any()
    warped, inside = warp_to_target(F.avg_pool2d(neighbour, 4), pair.flow[pair.valid])
    off = (warped - F.avg_pool2d(target, 4)).abs().amax(1, keepdim=True)
    assert off[inside].max() < 1e-5
    visible = pair.visible[pair.valid]
    assert visible[inside].min() > 0.999
    assert not visible[~inside].any()


def test_an_estimated_flow_carries_a_scaled_neighbour_to_its_target(moving, paired):
    data = paired(moving, DISFlow(), colour=0.0, scale=(1.4, 1.6), crop=(96, 128))
    batch = finished(data)
    pair = batch["pair"]
    target, neighbour = (F.avg_pool2d(maps[pair.valid], 4) for maps in (batch["image"], pair.image))
    warped, _ = warp_to_target(neighbour, pair.flow[pair.valid])
    sure = pair.visible[pair.valid] > 0.8
    assert sure.float().mean() > 0.5
    error, still = (((maps - target).abs() * sure).sum().item() for maps in (warped, neighbour))
    assert error < still / 4


def test_a_pair_follows_the_conventions(moving, paired):
    batch = finished(paired(moving, crop=(64, 96)))
    assert batch.keys() == {"frame", "image", "labels", "present", "inside", "pair"}
    pair = batch["pair"]
    assert [tuple(t.shape) for t in pair] == [(2, 3, 64, 96), (2, 2, 16, 24), (2, 1, 16, 24), (2,)]
    assert [t.dtype for t in pair] == [torch.float32] * 3 + [torch.bool]
    assert 0 <= pair.image.min() <= pair.image.max() <= 1
    assert 0 <= pair.visible.min() <= pair.visible.max() <= 1


def test_nothing_is_visible_in_the_draws_border(moving, paired):
    batch = finished(paired(moving, scale=(0.5, 0.5)))
    assert not batch["inside"].all()
    assert not batch["pair"].visible[~batch["inside"]].any()


@pytest.mark.parametrize("content", [b"", b"nonsense", None], ids=["empty", "no image", "missing"])
def test_a_damaged_neighbour_is_counted_and_replaced_by_the_target(moving, content, paired):
    data = paired(moving, colour=0.0)
    loader = data.train_dataloader()
    frame = moving / "frames" / "a" / "1.png"
    frame.unlink() if content is None else frame.write_bytes(content)
    sample = loader.dataset[SampleKey(1, 0)]
    assert not sample["paired"]
    assert torch.equal(sample["neighbour"], sample["image"])
    assert sample["damaged"].startswith(str(frame)) and "\n" not in sample["damaged"]
    with pytest.warns(UserWarning, match=r"damaged training frame left out: .*1\.png"):
        batch = data.on_after_batch_transfer(next(iter(loader)), 0)
    assert not batch["pair"].valid.any()
    assert torch.equal(batch["pair"].image, batch["image"])
    assert not batch["pair"].flow.any()


def test_without_a_pair_nothing_more_is_read_or_computed(moving, monkeypatch, data_module):
    data = data_module(moving, batch_size=2)
    monkeypatch.setattr(EitherShift, "__call__", lambda *a: pytest.fail("flow was estimated"))
    (moving / "frames" / "a" / "1.png").write_bytes(b"")
    loader = data.train_dataloader()
    assert next(iter(loader)).keys() == {"frame", "image", "labels", "present", "grid", "seed", "damaged"}
    assert "pair" not in finished(data)


def test_promise_2_a_neighbours_mask_is_never_read_for_a_pair(folder_root, monkeypatch, paired):
    monkeypatch.setattr("weclick.data.reader.read_label", lambda *a: pytest.fail("a mask was read"))
    assert finished(paired(folder_root))["pair"].valid.all()


def test_workers_change_nothing(moving, paired):
    modules = (paired(moving, workers=workers) for workers in (0, 1))
    first, second = (next(iter(data.train_dataloader())) for data in modules)
    assert all(torch.equal(first[name], second[name]) for name in ("image", "neighbour", "paired"))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(0.5, 0.8), (0.75, 1.5), (1.0, 1.0)]))
def test_one_draw_moves_both_frames(seed, scale):
    image = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), np.uint8)
    window = GeometricDraw((64, 64), scale, 0.5).window(seed, SIZE)
    drawn, neighbour = window.image(image), window.image(255 - image)
    inside = window.label(np.zeros(SIZE, np.uint8)) != 255
    # resizing rounds each image separately
    assert np.abs(neighbour[inside].astype(int) - (255 - drawn[inside].astype(int))).max() <= 1
    assert not neighbour[~inside].any()


def augmented(image, augmentation, pair=None):
    """Return a finished batch whose only supply adds a pair."""
    batch = {"image": image, "labels": torch.zeros(len(image), 4, 4), "grid": torch.zeros(len(image), 4, 4, 2)}
    batch["seed"] = torch.arange(len(image))
    supplies = [] if pair is None else [SimpleNamespace(complete=lambda batch, grid: batch.update(pair=pair))]
    finish(batch, supplies=supplies, augmentation=augmentation)
    return batch


def a_pair(image):
    return Pair(image, torch.zeros(len(image), 2, 4, 4), torch.ones(len(image), 1, 4, 4), torch.tensor([True, False]))


def test_both_frames_share_one_draw_of_colours():
    image = torch.rand(2, 3, 16, 16)
    batch = augmented(image, lambda images: images * torch.rand(()), a_pair(image.flip(-1)))
    factors = (batch["image"] / image).amax((1, 2, 3), keepdim=True)
    assert factors[0] != factors[1]
    torch.testing.assert_close(batch["image"], image * factors)
    torch.testing.assert_close(batch["pair"].image, image.flip(-1) * factors)
    assert batch["pair"].valid.tolist() == [True, False]


def test_without_a_pair_only_the_target_is_augmented():
    image = torch.rand(2, 3, 16, 16)
    batch = augmented(image, lambda images: images / 2)
    assert "pair" not in batch
    torch.testing.assert_close(batch["image"], image / 2)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31))
def test_of_two_equal_frames_only_the_noise_differs(seed):
    torch.manual_seed(seed)
    image = 0.2 + 0.4 * torch.rand(2, 3, 16, 16)
    batch = augmented(image, Photometric(0.3), a_pair(image))
    difference = (batch["image"] - batch["pair"].image).abs()
    assert difference.mean() < 0.04  # noise of 0.02 in each; with separate draws they would differ by up to 0.4
