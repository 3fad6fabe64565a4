import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from weclick.clicks import Click, ClickStore
from weclick.conventions import IGNORE_INDEX
from weclick.data.index import FrameKey
from weclick.data.sampler import SampleKey
from weclick.errors import ConfigError, DataError
from weclick.machine import default_workers


def process(rank, size):
    return SimpleNamespace(
        accumulate_grad_batches=1,
        world_size=size,
        global_rank=rank,
        num_devices=size,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in ("image", "labels", "grid", "target", "offsets"))


# Sizes, options and clips


def test_size_and_crop_follow_the_data(make_data, copied):
    assert make_data().dataset.size == (64, 128)
    assert make_data().crop == (64, 128)
    assert make_data(size=(48, 100)).crop == (32, 96)
    assert make_data(root=str(copied), crop=(32, 64)).crop == (32, 64)


@pytest.mark.parametrize("crop", [(30, 64), (0, 32)])
def test_a_crop_that_is_no_multiple_of_32_is_refused_at_once(make_data, crop):
    with pytest.raises(ConfigError, match=r"data\.draws\.crop must be positive multiples of 32"):
        make_data(crop=crop)


def test_frames_too_small_for_any_crop_are_refused(make_data):
    with pytest.raises(ConfigError, match=r"data\.size 24 x 40 is smaller than 32"):
        make_data(size=(24, 40)).train_dataloader()


def test_scales_the_wrong_way_round_are_refused_at_once(make_data):
    with pytest.raises(ConfigError, match=r"data\.draws\.scale must be smallest and largest, found \[1\.5, 0\.5\]"):
        make_data(scale=(1.5, 0.5))


def test_carried_clicks_without_unlabelled_draws_are_refused(make_data):
    with pytest.raises(ConfigError, match=r"data\.draws\.carried .*set data\.draws\.unlabelled above 0"):
        make_data(carried=True)


@pytest.mark.parametrize(
    "option",
    [{"neighbours": -1}, {"stride": 0}, {"batch_size": 0}, {"size": (0, 4)}, {"min_area": 0}],
)
def test_a_number_out_of_range_is_refused_from_python_too(make_data, option):
    with pytest.raises(ConfigError, match=rf"data\.(\w+\.)?{next(iter(option))} must be"):
        make_data(**option)


def test_clips_hold_the_frames_before_each_clicked_one(make_data):
    clips = make_data(neighbours=2).clips
    assert [clip.target.key.number for clip in clips] == [3, 3, 3, 3]
    assert {clip.offsets for clip in clips} == {(-1, -2)}


def test_the_click_store_in_the_root_is_the_default(folder_root, data_module):
    data = data_module(folder_root)
    assert data.clicks.store == folder_root / "clicks.sqlite"
    assert set(data.clicks.clicks) == {FrameKey("a", 2), FrameKey("a", 4)}


def test_a_given_click_store_that_is_missing_is_refused(make_data, tmp_path):
    with pytest.raises(DataError, match=r"none\.sqlite \(data\.clicks\.store\) not found") as refusal:
        _ = make_data(store=str(tmp_path / "none.sqlite")).clips
    assert "\n" not in str(refusal.value)


def test_a_data_set_without_clicks_is_refused_with_the_command_that_makes_some(copied, data_module):
    with pytest.raises(DataError, match=r"no clicks in .*; weclick clicks simulate") as refusal:
        _ = data_module(copied).clips
    assert "\n" not in str(refusal.value)


def test_a_store_without_clicks_is_refused_in_one_line(make_data, tmp_path):
    data = make_data(store=str(tmp_path / "empty.sqlite"))
    with ClickStore.create(tmp_path / "empty.sqlite", data.dataset.classes) as store:
        store.add(FrameKey("synthaven_000000", 3), [], status="done")
    with pytest.raises(DataError, match=r"no training frame of .* has clicks \(.*empty\.sqlite\)") as refusal:
        _ = data.clips
    assert "\n" not in str(refusal.value)


def test_clicks_on_validation_frames_train_nothing(folder_root, data_module, tmp_path):
    data = data_module(folder_root, store=str(tmp_path / "clicks.sqlite"))
    with ClickStore.create(tmp_path / "clicks.sqlite", data.dataset.classes) as store:
        store.add(FrameKey("b", 2), [Click(1.0, 1.0, 0)])
    with pytest.raises(DataError, match=r"no training frame of .*: 1 in val \(b\); .*splits\.yaml"):
        _ = data.clips


def test_no_masks_to_evaluate_with_is_refused_in_one_line(make_data, copied):
    shutil.rmtree(copied / "gtFine" / "val")
    with pytest.raises(DataError, match=r"the val split of .* has no masks to evaluate with") as refusal:
        make_data(root=str(copied)).val_dataloader()
    assert "\n" not in str(refusal.value)


def test_the_evaluation_split_is_val_where_test_has_no_labels(make_data):
    assert make_data().dataset.evaluation_split == "val"


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (6, 3), (64, 8)])
def test_trap_22_workers_follow_the_cores_this_process_may_use(monkeypatch, cores, workers):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setattr("os.cpu_count", lambda: 1000)
    assert default_workers() == workers


def test_processes_of_one_training_share_the_cores(make_data, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(16)))
    data = make_data(workers=None)
    assert data.workers == 8
    data.trainer = process(0, 4)
    assert data.workers == 2


def test_at_least_one_worker():
    assert 1 <= default_workers() <= 8


# Batches


def test_a_training_batch_follows_the_conventions(make_data, with_online_memory):
    data = with_online_memory(make_data(neighbours=2))
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch["image"].shape == (2, 3, 64, 128)
    assert batch["image"].dtype == torch.float32
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert batch["labels"].dtype == torch.int64
    assert set(batch["labels"].unique().tolist()) <= {*range(19), IGNORE_INDEX}
    assert (batch["labels"] != IGNORE_INDEX).any()
    soft = batch["soft_labels"]
    assert soft.teacher.shape == (2, 3, 16, 32)
    assert soft.memory.confidence.shape == (2, 1, 16, 32)
    assert batch["present"].shape == (2, len(data.dataset.classes))
    assert (batch["inside"].shape, batch["inside"].dtype) == ((2, 1, 16, 32), torch.bool)
    assert torch.equal(batch["inside"], soft.teacher.sum(1, keepdim=True) > 0)
    assert batch.keys() == {"frame", "image", "labels", "present", "inside", "soft_labels"}


@pytest.mark.parametrize("supervision", ["clicks", "masks"])
def test_present_classes_are_those_of_the_undrawn_frame(make_data, supervision):
    data = make_data(supervision=supervision, crop=(32, 32), colour=0.0)
    dataset = data.train_dataloader().dataset
    for position, clip in enumerate(data.clips):
        clicked = {click.class_id for click in make_data().clicks.clicks[clip.target.key]}
        masked = set(data.dataset.reader.label(clip.target).ravel().tolist()) - {IGNORE_INDEX}
        present = set(dataset[SampleKey(position, 0)]["present"].nonzero().flatten().tolist())
        assert present == (clicked if supervision == "clicks" else masked)


@pytest.mark.parametrize("supervision", ["clicks", "masks"])
def test_a_share_of_the_frames_is_trained_from(make_data, supervision):
    every, half = make_data(supervision=supervision), make_data(supervision=supervision, frame_share=0.5)
    targets = [clip.target.key for clip in every.clips]
    assert [clip.target.key for clip in half.clips] == targets[::2]
    assert len(half.train_dataloader().dataset) == 2
    if supervision == "clicks":
        assert half.clicks.clicks == {key: every.clicks.clicks[key] for key in targets[::2]}


def test_with_fewer_clicks_no_class_counts_as_absent(make_data):
    data = make_data(per_frame=2)
    assert [len(clicks) for clicks in data.clicks.clicks.values()] == [2, 2, 2, 2]
    assert all(len({click.class_id for click in clicks}) == 2 for clicks in data.clicks.clicks.values())
    dataset = data.train_dataloader().dataset
    for position in range(4):
        draws = [dataset[SampleKey(position, seed)] for seed in range(8)]
        assert not any(sample["present"].any() for sample in draws)
        assert any((sample["labels"] != IGNORE_INDEX).any() for sample in draws)


@pytest.fixture
def half_clicked(click_file, tmp_path):
    """A copy of the clicks in which the first target is still to do."""
    copy = Path(shutil.copy(click_file, tmp_path / "clicks.sqlite"))

    def mark(data, status):
        with ClickStore(copy, data.dataset.classes) as store:
            first = next(iter(store.all_clicks()))
            store.add(first, [], status=status)
        return first

    return str(copy), mark


def test_on_an_unfinished_frame_no_class_counts_as_absent(make_data, half_clicked):
    store, mark = half_clicked
    first = mark(make_data(), "todo")
    data = make_data(store=store)
    assert data.clicks.unfinished == {first}
    dataset = data.train_dataloader().dataset
    for position, clip in enumerate(data.clips):
        sample = dataset[SampleKey(position, 0)]
        assert (sample["labels"] != IGNORE_INDEX).any()
        assert sample["present"].any() == (clip.target.key != first)


def test_on_a_finished_frame_the_present_classes_are_set(make_data, half_clicked):
    store, mark = half_clicked
    for status in ("todo", "done"):
        mark(make_data(), status)
    data = make_data(store=store)
    assert not data.clicks.unfinished
    assert data.train_dataloader().dataset[SampleKey(0, 0)]["present"].any()


def test_only_frames_that_are_trained_from_are_unfinished(make_data, half_clicked):
    store, mark = half_clicked
    mark(make_data(), "skipped")
    with ClickStore(Path(store), make_data().dataset.classes) as opened:
        last = list(opened.all_clicks())[-1]
        opened.add(last, [], status="todo")
        opened.add(make_data().dataset.labelled("val")[0].key, [Click(3.0, 3.0, 0)], status="todo")
    assert make_data(store=store).clicks.unfinished == {last}
    assert make_data(store=store, supervision="masks").clicks is None


def test_masks_have_no_clicks_to_leave_out(make_data):
    data = make_data(supervision="masks", per_frame=1)
    assert data.train_dataloader().dataset[SampleKey(0, 0)]["present"].sum() > 1


def test_clicks_on_frames_of_other_splits_are_not_in_the_budget(make_data, click_file, tmp_path):
    copy = shutil.copy(click_file, tmp_path / "clicks.sqlite")
    data = make_data(store=str(copy), frame_share=0.5)
    with ClickStore(copy, data.dataset.classes) as store:
        for frame in data.dataset.labelled("val"):
            store.add(frame.key, [Click(3.0, 3.0, 0)])
    assert data.clicks.clicks == make_data(frame_share=0.5).clicks.clicks


def test_the_memory_follows_the_same_draw_as_the_image(make_data, with_online_memory):
    data = with_online_memory(make_data(colour=0.0, scale=(0.75, 1.5)))
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    # only away from the draw's border: averaging over 4 x 4 pixels mixes the border in
    labelled = (batch["soft_labels"].teacher.sum(1, keepdim=True) > 0).float()
    inside = torch.nn.functional.avg_pool2d(labelled, 3, 1, 1) == 1
    expected = torch.nn.functional.avg_pool2d(batch["image"], 4).softmax(1)
    off = (expected - batch["soft_labels"].teacher).abs().amax(1, keepdim=True)[inside]
    turned = (expected.flip(-1) - batch["soft_labels"].teacher).abs().amax(1, keepdim=True)[inside]
    assert off.mean() < 0.01
    assert off.mean() < turned.mean() / 2


def test_an_evaluation_batch_is_only_scaled(make_data):
    data = make_data()
    batch = next(iter(data.val_dataloader()))
    image = batch["image"].clone()
    batch = data.on_after_batch_transfer(batch, 0)
    torch.testing.assert_close(batch["image"], image.float() / 255)
    assert isinstance(batch["label"], list)
    assert batch["label"][0].shape == (64, 128)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_every_evaluation_frame_is_counted_exactly_once_over_processes(make_data, batch_size):
    keys = []
    for rank in (0, 1, 2):
        data = make_data(batch_size=batch_size)
        data.trainer = process(rank, 3)
        keys += [key for batch in data.val_dataloader() for key in batch["key"]]
    assert len(keys) == len(make_data().dataset.labelled("val")) == 8
    assert set(keys) == {frame.key for frame in make_data().dataset.labelled("val")}


def test_fewer_evaluation_frames_than_processes_are_refused(make_data):
    data = make_data()
    data.trainer = process(8, 9)
    with pytest.raises(DataError, match=r"has 8 frames with masks, too few for 9 processes.*trainer\.devices"):
        data.val_dataloader()


def test_training_targets_are_shared_out_over_processes(make_data):
    images = []
    for rank in (0, 1):
        data = make_data(scale=(1.0, 1.0), flip=0.0)
        data.trainer = process(rank, 2)
        images += [image.numpy().tobytes() for batch in data.train_dataloader() for image in batch["image"]]
    assert len(images) == len(set(images)) == 4


def test_workers_change_nothing(make_data, with_online_memory):
    first, second = (with_online_memory(make_data(workers=workers)) for workers in (0, 2))
    pairs = list(zip(first.train_dataloader(), second.train_dataloader(), strict=True))
    assert len(pairs) == 2
    assert all(same(*pair) for pair in pairs)


def test_same_seed_same_batches_and_another_seed_others(make_data):
    first, again, other = (
        next(iter(make_data(seed=seed, crop=(32, 32)).train_dataloader()))["image"] for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_last_batch_is_filled_up_unless_it_is_the_only_one(make_data):
    assert [len(batch["image"]) for batch in make_data(batch_size=3).train_dataloader()] == [3, 3]
    assert [len(batch["image"]) for batch in make_data(batch_size=8).train_dataloader()] == [4]


def test_frames_of_the_memory_are_ordered_by_clip_and_have_keys(make_data):
    data = make_data()
    batches = list(data.frame_loader(data.clips, batch_size=5))
    assert [len(batch) for batch in batches] == [5, 5, 2]
    expected = [frame.key for clip in data.clips for frame in (clip.target, *clip.neighbours)]
    assert [sample["key"] for batch in batches for sample in batch] == expected
    assert {sample["image"].shape for batch in batches for sample in batch} == {(3, 64, 128)}


def test_the_working_size_differs_from_the_labels_size(make_data):
    batch = next(iter(make_data(size=(32, 64)).val_dataloader()))
    assert batch["image"].shape[-2:] == (32, 64)
    assert batch["label"][0].shape == (64, 128)


def test_frames_of_mixed_sizes_make_one_batch(tmp_path, data_module):
    rng = np.random.default_rng(0)
    (tmp_path / "frames" / "a").mkdir(parents=True)
    for number, size in enumerate([(32, 64), (48, 96), (64, 64)]):
        cv2.imwrite(str(tmp_path / "frames" / "a" / f"{number}.png"), rng.integers(0, 255, (*size, 3), np.uint8))
    (tmp_path / "classes.yaml").write_text("[ground, car]\n", encoding="utf-8")
    (tmp_path / "splits.yaml").write_text("train: [a]\n", encoding="utf-8")
    data = data_module(tmp_path, batch_size=3)
    with ClickStore.create(tmp_path / "clicks.sqlite", data.dataset.classes) as store:
        for number in range(3):
            store.add(FrameKey("a", number), [Click(3.0, 3.0, 0)])
    assert next(iter(data.train_dataloader()))["image"].shape == (3, 3, 32, 64)


def drawn_unlabelled(data):
    """For each of many samples, yield whether it was drawn from an unlabelled frame."""
    dataset = data.train_dataloader().dataset
    for seed in range(40):
        sample = dataset[SampleKey(seed % len(dataset), seed)]
        unlabelled = not sample["present"].any()
        assert not unlabelled or (sample["labels"] == IGNORE_INDEX).all()
        yield unlabelled


def test_some_samples_are_drawn_from_unlabelled_neighbours(make_data, with_online_memory):
    data = with_online_memory(make_data(unlabelled=0.4, neighbours=2, scale=(1.0, 1.0)))
    drawn = list(drawn_unlabelled(data))
    assert 5 < sum(drawn) < 30
    assert drawn == list(drawn_unlabelled(data))
    assert {clip.target.key for clip in data.memory_clips} > {clip.target.key for clip in data.clips}


def test_without_a_memory_no_sample_is_drawn_from_unlabelled_frames(make_data):
    assert not any(drawn_unlabelled(make_data(unlabelled=0.9, neighbours=2)))


def test_with_carried_clicks_unlabelled_frames_are_drawn_without_a_memory(make_data):
    dataset = make_data(unlabelled=0.5, carried=True, neighbours=2).train_dataloader().dataset
    drawn = [dataset[SampleKey(seed % len(dataset), seed)] for seed in range(40)]
    unlabelled = [sample for sample in drawn if not sample["present"].any()]  # other classes may be there, too
    assert 5 < len(unlabelled) < 35
    assert all((sample["labels"] != IGNORE_INDEX).any() for sample in unlabelled)


def test_without_unlabelled_draws_the_memory_is_of_targets_only(make_data):
    data = make_data(neighbours=2)
    assert data.memory_clips == data.clips
