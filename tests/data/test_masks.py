import shutil

import cv2
import numpy as np
import pytest

from weclick.clicks import ClickStore, check_clicks
from weclick.data.index import Frame, FrameKey
from weclick.data.layouts import open_layout
from weclick.data.masks import find_click_store, load_masks, masks_of, pictures_of, simulate_split
from weclick.errors import ClickError, DataError


@pytest.fixture
def layout(synthetic_root):
    return open_layout("auto", synthetic_root)


def test_masks_are_offered_for_labelled_frames_only(layout):
    masks = masks_of(layout, "train")
    assert len(masks) == 16
    assert {key.number for key, load in masks.items() if load is not None} == {3}


def test_masks_are_class_ids_and_instances_of_one_size(layout):
    label, instances = next(load for load in masks_of(layout, "train").values() if load)()
    assert label.shape == instances.shape == (64, 128)
    assert set(np.unique(label)) <= {*range(19), 255}
    assert instances.max() >= 1000 or instances.max() == 0


def test_without_instance_maps_there_are_no_instances(folder_root):
    label, instances = next(iter(masks_of(open_layout("auto", folder_root), "train").values()))()
    assert label.shape == (32, 64)
    assert instances is None


def test_a_frame_without_mask_is_refused(layout, tmp_path):
    with pytest.raises(DataError, match="has no mask"):
        load_masks(layout, Frame(FrameKey("v", 1), tmp_path / "1.png"))


def test_a_split_is_clicked_once_on_every_masked_frame(layout, tmp_path):
    count = simulate_split(layout, "train", tmp_path / "clicks.sqlite", rule="center", min_area=20, seed=0)
    with ClickStore(tmp_path / "clicks.sqlite", layout.classes, readonly=True) as store:
        found = store.all_clicks()
    assert len(found) == 4
    assert sum(map(len, found.values())) == count
    for key, clicks in found.items():
        label, _ = masks_of(layout, "train")[key]()
        assert all(label[click.pixel[1], click.pixel[0]] == click.class_id for click in clicks)


def test_same_seed_same_clicks(layout, tmp_path):
    prints = set()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        path = tmp_path / name
        simulate_split(layout, "train", path, rule="uniform", min_area=20, seed=seed)
        with ClickStore(path, layout.classes, readonly=True) as store:
            prints.add((seed, store.fingerprint()))
    assert len(prints) == 2


def test_a_split_without_masks_is_refused_in_one_line(layout, tmp_path):
    with pytest.raises(DataError, match=r"no masks in its test split.*weclick annotate") as refusal:
        simulate_split(layout, "test", tmp_path / "clicks.sqlite", rule="center", min_area=20, seed=0)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "clicks.sqlite").exists()


def test_simulated_clicks_pass_the_check(layout, tmp_path):
    frames = {key: load for key, load in masks_of(layout, "train").items() if load is not None}
    for rule in ("center", "uniform", "human"):
        simulate_split(layout, "train", tmp_path / rule, rule=rule, min_area=100, seed=0)
        with ClickStore(tmp_path / rule, layout.classes, readonly=True) as store:
            assert len(check_clicks(store)) > 0  # by themselves, people near one another look like clicked twice
            assert check_clicks(store, frames, pictures_of(layout).size) == []


def test_clicks_that_exist_are_never_overwritten(layout, click_file):
    with pytest.raises(ClickError, match="exist"):
        simulate_split(layout, "train", click_file, rule="center", min_area=20, seed=0)


def test_a_store_nobody_has_touched_counts_as_none_where_there_are_masks(copied, tmp_path):
    layout, store = open_layout("auto", copied), copied / "clicks.sqlite"
    ClickStore.create(store, layout.classes).close()
    assert find_click_store(layout, None) is None
    assert find_click_store(layout, store) == store  # which somebody has named
    shutil.rmtree(copied / "gtFine" / "train")
    assert find_click_store(open_layout("auto", copied), None) == store


def test_a_store_with_a_frame_is_found_beside_masks(copied):
    layout, store = open_layout("auto", copied), copied / "clicks.sqlite"
    with ClickStore.create(store, layout.classes) as opened:
        opened.add(next(iter(layout.frames("train"))).key, [], status="skipped")
    assert find_click_store(layout, None) == store


def test_a_mask_of_another_size_than_its_image_is_not_clicked_on(folder_root, tmp_path):
    root = shutil.copytree(folder_root, tmp_path / "copy")
    mask = root / "masks" / "a" / "2.png"
    cv2.imwrite(str(mask), cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).T)
    with pytest.raises(DataError, match=r"2\.png .*32x64.*64x32|2\.png .*64x32.*32x64"):
        simulate_split(open_layout("auto", root), "train", tmp_path / "new.sqlite", rule="center", min_area=1, seed=0)
    assert not (tmp_path / "new.sqlite").exists()
