import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore, simulate_clicks, simulate_store
from weclick.conventions import FrameKey
from weclick.errors import ClickError, ConfigError, DataError, ShapeError

ROAD, CAR, WALL = 0, 1, 2
CLASSES = ClassSet.from_list([{"name": "road"}, {"name": "car", "thing": True}, {"name": "wall"}])
RULES = ("center", "uniform", "human")


def clicks(label, instances=None, *, rule="center", min_area=1, seed=0, classes=CLASSES):
    rng = np.random.default_rng(seed)
    label = np.array(label, np.uint8)
    instances = None if instances is None else np.array(instances, np.int32)
    return simulate_clicks(label, instances, classes, rule=rule, min_area=min_area, rng=rng)


def count_regions(mask):
    """Count the regions by flood fill over 8 neighbours."""
    left, count = {(int(y), int(x)) for y, x in np.argwhere(mask)}, 0
    while left:
        count += 1
        border = [left.pop()]
        while border:
            y, x = border.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            border += near
    return count


def test_one_click_per_connected_region_diagonals_connect():
    label = [
        [0, 0, 255, 2, 255],
        [0, 0, 255, 255, 2],
        [255, 255, 255, 255, 255],
        [0, 255, 1, 255, 1],
    ]
    assert [c.class_id for c in clicks(label)] == [ROAD, ROAD, CAR, CAR, WALL]


def test_regions_below_min_area_get_no_click():
    label = [[0, 0, 0, 255, 0], [0, 0, 0, 255, 0]]
    assert len(clicks(label, min_area=2)) == 2
    assert [c.x for c in clicks(label, min_area=3)] == [1.0]


def test_a_class_with_only_tiny_regions_is_clicked_once_on_the_largest():
    label = [
        [2, 255, 255, 255, 2, 2, 2],
        [255, 255, 255, 255, 255, 255, 255],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    assert clicks(label, min_area=7) == [Click(3.0, 2.0, ROAD), Click(5.0, 0.0, WALL)]
    assert len(clicks(label, min_area=2)) == 2
    assert len(clicks(label, min_area=1)) == 3


def test_of_equally_large_tiny_regions_the_first_in_reading_order_is_clicked():
    assert clicks([[255, 255, 2], [255, 255, 255], [2, 255, 255]], min_area=2) == [Click(2.0, 0.0, WALL)]


def test_one_click_per_instance_also_when_they_touch_or_are_small():
    label = np.full((4, 6), CAR)
    instances = np.array([[1, 1, 1, 2, 2, 2]] * 3 + [[1, 1, 1, 9, 2, 2]])
    simulated = clicks(label, instances, min_area=100)
    assert len(simulated) == 3
    assert {instances[int(c.y), int(c.x)] for c in simulated} == {1, 2, 9}


def test_an_instance_in_pieces_is_clicked_once_on_the_largest():
    label = [[1, 255, 1, 1, 1, 255, 1]]
    instances = [[5, 0, 5, 5, 5, 0, 5]]
    assert clicks(label, instances) == [Click(3.0, 0.0, CAR)]


def test_instance_ids_of_stuff_are_not_objects():
    assert len(clicks([[0, 0, 0, 0]], [[1, 1, 2, 2]])) == 1


def test_thing_pixels_without_instance_are_clicked_by_region():
    label = [[1, 1, 1, 255, 1, 1]]
    instances = [[3, 0, 0, 0, 0, 0]]
    assert len(clicks(label, instances, min_area=2)) == 3
    assert len(clicks(label, instances, min_area=3)) == 1
    assert [c.x for c in clicks(label, np.zeros((1, 6)), min_area=4)] == [1.0]


def test_ignored_pixels_get_no_click():
    assert clicks(np.full((5, 5), 255)) == []


def test_center_of_a_disc_is_its_centre():
    y, x = np.mgrid[:41, :51]
    label = np.where((y - 17) ** 2 + (x - 23) ** 2 <= 12**2, WALL, 255)
    assert clicks(label) == [Click(23.0, 17.0, WALL)]


def test_the_image_border_counts_as_border():
    label = np.zeros((9, 9))
    assert clicks(label) == [Click(4.0, 4.0, ROAD)]


def test_center_of_a_long_strip_is_in_its_middle():
    assert clicks(np.zeros((3, 31))) == [Click(15.0, 1.0, ROAD)]


def test_center_of_a_ring_is_on_the_ring():
    y, x = np.mgrid[:41, :41]
    radius = np.hypot(y - 20, x - 20)
    label = np.where((radius > 8) & (radius < 15), ROAD, 255)
    (click,) = clicks(label)
    assert 8 < np.hypot(click.y - 20, click.x - 20) < 15


def test_uniform_clicks_reach_every_pixel_of_the_region():
    label = [[0, 0, 255], [0, 255, 255]]
    simulated = {(c.x, c.y) for seed in range(100) for c in clicks(label, rule="uniform", seed=seed)}
    assert simulated == {(0, 0), (1, 0), (0, 1)}


def test_human_clicks_scatter_by_half_the_inner_radius():
    label = np.zeros((81, 81))  # inner radius 41 (40 pixels and half a border either side)
    simulated = np.array([clicks(label, rule="human", seed=seed)[0][:2] for seed in range(300)])
    assert np.abs(simulated.mean(axis=0) - 40).max() < 4
    assert np.all((simulated.std(axis=0) > 14) & (simulated.std(axis=0) < 24))


maps = st.integers(1, 12).flatmap(
    lambda h: st.integers(1, 12).flatmap(
        lambda w: st.tuples(
            arrays(np.uint8, (h, w), elements=st.sampled_from([ROAD, CAR, WALL, 255])),
            st.none() | arrays(np.int32, (h, w), elements=st.integers(0, 3)),
        )
    )
)


@settings(deadline=None)
@given(maps, st.sampled_from(RULES), st.integers(0, 99))
def test_every_click_lies_on_its_class_and_the_number_is_that_of_regions_and_instances(masks, rule, seed):
    label, instances = masks
    simulated = clicks(label, instances, rule=rule, seed=seed)
    assert all(label[int(c.y), int(c.x)] == c.class_id for c in simulated)
    objects = np.zeros_like(label, np.int32) if instances is None else np.where(label == CAR, instances, 0)
    regions = sum(count_regions((label == class_id) & (objects == 0)) for class_id in range(3))
    assert len(simulated) == regions + len(set(objects[objects > 0].tolist()))
    assert len({(c.x, c.y) for c in simulated}) == len(simulated)


@settings(deadline=None)
@given(maps, st.sampled_from(RULES), st.integers(1, 60))
def test_every_class_in_the_mask_is_clicked_whatever_the_smallest_area(masks, rule, min_area):
    label, instances = masks
    simulated = clicks(label, instances, rule=rule, min_area=min_area)
    assert {c.class_id for c in simulated} == set(np.unique(label).tolist()) - {255}
    assert len(simulated) <= len(clicks(label, instances, rule=rule))


@settings(deadline=None)
@given(maps, st.sampled_from(RULES), st.integers(0, 99))
def test_the_same_seed_gives_the_same_clicks(masks, rule, seed):
    assert clicks(*masks, rule=rule, seed=seed) == clicks(*masks, rule=rule, seed=seed)


def test_label_with_unknown_class_ids_is_refused():
    with pytest.raises(DataError, match=r"ids 3, 17.*end at 2"):
        clicks([[0, 3, 17, 255]])


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"\(1, 2\).*\(2, 1\)"):
        clicks([[0, 0]], [[1], [1]])
    with pytest.raises(ShapeError, match="uint8"):
        simulate_clicks(np.zeros((2, 2)), None, CLASSES, rule="center", rng=np.random.default_rng(0))


@pytest.mark.parametrize(("options", "words"), [({"rule": "middle"}, "'middle'"), ({"min_area": 0}, "min_area 0")])
def test_wrong_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        clicks([[0]], **options)


def some_masks(key):
    rng = np.random.default_rng([key.number, len(key.video)])
    small = rng.choice(np.array([ROAD, CAR, WALL, 255], np.uint8), (6, 8))
    return np.kron(small, np.ones((8, 8), np.uint8)), np.kron(rng.integers(0, 3, (6, 8)), np.ones((8, 8), int))


KEYS = [FrameKey(video, number) for video in ("a", "Straße 東京") for number in (1, 2, 30)]


def simulate(path, keys, **options):
    frames = [(key, lambda key=key: some_masks(key)) for key in keys]
    count = simulate_store(frames, path, CLASSES, **{"rule": "uniform", "seed": 5, **options})
    with ClickStore(path, CLASSES, readonly=True) as store:
        assert count == sum(map(len, store.all_clicks().values()))
        return store.all_clicks(), store.provenance, store.frames()


def test_simulated_store_holds_clicks_sizes_and_provenance(tmp_path):
    simulated, provenance, frames = simulate(tmp_path / "c.sqlite", KEYS, min_area=10)
    assert list(simulated) == sorted(KEYS) and set(frames) == set(KEYS)
    assert provenance == {"source": "simulation", "rule": "uniform", "seed": "5", "min_area": "10"}
    assert {frame[:3] for frame in frames.values()} == {("done", "simulation", (48, 64))}
    assert [p.name for p in tmp_path.iterdir()] == ["c.sqlite"]


@pytest.mark.parametrize("rule", RULES)
def test_clicks_of_a_frame_depend_on_neither_order_nor_subset(tmp_path, rule):
    simulated, _, _ = simulate(tmp_path / "1", KEYS, rule=rule)
    again, _, _ = simulate(tmp_path / "2", KEYS[::-1], rule=rule)
    part, _, _ = simulate(tmp_path / "3", KEYS[2:4], rule=rule)
    assert again == simulated
    assert part == {key: simulated[key] for key in KEYS[2:4]}


def test_another_seed_gives_other_clicks(tmp_path):
    assert simulate(tmp_path / "1", KEYS)[0] != simulate(tmp_path / "2", KEYS, seed=6)[0]


def test_frame_without_anything_to_click_is_done_without_clicks(tmp_path):
    frames = [(KEYS[0], lambda: (np.full((4, 4), 255, np.uint8), None))]
    assert simulate_store(frames, tmp_path / "c", CLASSES) == 0
    with ClickStore(tmp_path / "c", CLASSES, readonly=True) as store:
        assert store.statuses() == {KEYS[0]: "done"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DataError("mask.png is damaged"), OSError("mask.png is gone")])
def test_an_interrupted_simulation_leaves_nothing_behind(tmp_path, error):
    def fail():
        raise error

    frames = [(KEYS[0], lambda: some_masks(KEYS[0])), (KEYS[1], fail)]
    with pytest.raises((KeyboardInterrupt, DataError)) as caught:
        simulate_store(frames, tmp_path / "c.sqlite", CLASSES)
    assert list(tmp_path.iterdir()) == []
    if isinstance(error, Exception):
        assert str(caught.value) == f"frame a:2: {error}"


def test_simulation_never_overwrites_a_store(tmp_path):
    path = tmp_path / "c.sqlite"
    with ClickStore.create(path, CLASSES) as store:
        store.add(KEYS[0], [Click(1, 1, 0)])
    with pytest.raises(ClickError, match="already exists"):
        simulate(path, KEYS)
    with ClickStore(path, CLASSES, readonly=True) as store:
        assert store.all_clicks() == {KEYS[0]: [Click(1, 1, 0)]}


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ClickError, match="cannot be written"):
        simulate(tmp_path / "file" / "c.sqlite", KEYS)


def test_negative_seed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="seed -1"):
        simulate(tmp_path / "c.sqlite", KEYS, seed=-1)


@pytest.mark.realdata
def test_camvid_masks_give_a_plausible_number_of_clicks():
    if "WECLICK_CAMVID" not in os.environ:
        pytest.skip("WECLICK_CAMVID is not set")
    masks = sorted((Path(os.environ["WECLICK_CAMVID"]) / "valannot").glob("*.png"))[:5]
    classes = ClassSet.from_list([{"name": str(class_id)} for class_id in range(11)])
    for mask in masks:
        label = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
        label[label == 11] = 255
        simulated = clicks(label, min_area=100, classes=classes, rule="human")
        assert 5 < len(simulated) < 100
        assert {c.class_id for c in simulated} == set(np.unique(label).tolist()) - {255}
        assert all(label[int(c.y), int(c.x)] == c.class_id for c in simulated)
