import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.errors import DataError
from weclick.synthetic import SyntheticVideo
from weclick.synthetic.geometry import Label

SIZE = (128, 256)


@pytest.fixture(scope="module", params=[0, 1, 2])
def video(request):
    return SyntheticVideo(seed=5, index=request.param, size=SIZE)


def sample(image, flow, interpolation):
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return cv2.remap(image, xs + flow[0], ys + flow[1], interpolation)


def of_one_class(label):
    kernel = np.ones((3, 3), np.uint8)
    return cv2.erode(label, kernel) == cv2.dilate(label, kernel)


def test_frame_has_the_promised_arrays(video):
    frame = video.frame(0)
    assert (frame.image.shape, frame.image.dtype) == ((*SIZE, 3), np.uint8)
    assert (frame.label.shape, frame.label.dtype) == (SIZE, np.uint8)
    assert (frame.instances.shape, frame.instances.dtype) == (SIZE, np.uint16)
    assert (frame.depth.shape, frame.depth.dtype) == (SIZE, np.float32)


def test_instance_ids_follow_labels(video):
    frame = video.frame(3)
    things = np.isin(frame.label, [Label.CAR, Label.PERSON])
    assert (frame.instances[~things] == frame.label[~things]).all()
    assert (frame.instances[things] // 1000 == frame.label[things]).all()
    assert (frame.instances[things] % 1000 > 0).all()


def test_only_the_sky_has_infinite_depth(video):
    frame = video.frame(3)
    assert (np.isinf(frame.depth) == (frame.label == Label.SKY)).all()
    assert frame.depth.min() > 0.25


def test_flow_to_the_same_frame_is_zero_and_all_visible(video):
    flow, visible = video.flow(4, 4)
    assert np.abs(flow).max() < 1e-5
    assert visible.all()


@pytest.mark.parametrize(("number", "other"), [(7, 6), (7, 4), (4, 7)])
def test_label_warped_by_exact_flow_is_the_label(video, number, other):
    label, far = video.frame(number).label, video.frame(other).label
    flow, visible = video.flow(number, other)
    compared = visible & of_one_class(label)
    assert compared.mean() > 0.5
    assert (sample(far, flow, cv2.INTER_NEAREST) == label)[compared].mean() >= 0.995


def test_instances_warped_by_exact_flow_are_the_instances(video):
    flow, visible = video.flow(7, 5)
    instances = video.frame(7).instances
    warped = sample(video.frame(5).instances, flow, cv2.INTER_NEAREST)
    assert (warped == instances)[visible & of_one_class(instances)].mean() >= 0.995


def test_image_warped_by_exact_flow_resembles_the_image(video):
    image, far = (cv2.GaussianBlur(video.frame(n).image.astype(np.float32), (0, 0), 1.0) for n in (7, 5))
    flow, visible = video.flow(7, 5)
    warped, still = np.abs(sample(far, flow, cv2.INTER_LINEAR) - image), np.abs(far - image)
    assert warped[visible].mean() < 0.75 * still[visible].mean()


def test_flow_there_and_back_cancels(video):
    there, visible = video.flow(6, 4)
    back, _ = video.flow(4, 6)
    returned = np.stack([sample(np.ascontiguousarray(channel), there, cv2.INTER_LINEAR) for channel in back])
    smooth = visible & of_one_class(video.frame(6).instances)
    assert np.median(np.abs(there + returned)[:, smooth]) < 0.05


def test_driving_forward_moves_the_road_down(video):
    flow, visible = video.flow(0, 1)
    near_road = visible & (video.frame(0).label == Label.ROAD)
    near_road[: SIZE[0] * 3 // 4] = False
    assert near_road.any()
    assert (flow[1][near_road] > 0).mean() > 0.95


def test_some_pixels_are_hidden_in_another_frame(video):
    assert not video.flow(7, 3).visible.all()


def test_same_seed_gives_the_same_bytes():
    first, second = (SyntheticVideo(3, 4, (64, 96)) for _ in range(2))
    for number in (2, 0):
        a, b = first.frame(number), second.frame(number)
        assert all(np.array_equal(getattr(a, key), getattr(b, key)) for key in ("image", "label", "instances", "depth"))


@given(seeds=st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2_000_000)), min_size=2, max_size=2, unique=True))
@settings(deadline=None, max_examples=8)
def test_other_seed_or_index_gives_another_street(seeds):
    first, second = (SyntheticVideo(*seed, (48, 64)).frame(0) for seed in seeds)
    assert (first.label != second.label).mean() > 0.02
    assert set(np.unique(first.label)) <= set(Label)


def test_size_changes_resolution_not_the_street():
    small, large = (SyntheticVideo(0, 1, size).frame(3).label for size in ((96, 192), (192, 384)))
    assert (cv2.resize(large, (192, 96), interpolation=cv2.INTER_NEAREST) == small).mean() > 0.9


def test_every_class_occurs():
    seen = set()
    for index in range(6):
        seen |= set(np.unique(SyntheticVideo(0, index, SIZE).frame(7).label).tolist())
    assert seen == set(Label)


def test_street_reaches_the_last_frame():
    label = SyntheticVideo(0, 2, SIZE).frame(99).label
    assert len(np.unique(label)) >= 6


@pytest.mark.parametrize("number", [-1, 100])
def test_refuses_frame_numbers_out_of_range(number):
    with pytest.raises(DataError, match=f"frames 0 to 99, requested was {number}"):
        SyntheticVideo(size=(32, 32)).frame(number)


@pytest.mark.parametrize("size", [(31, 64), (64, 0), (64, -1), (5000, 64)])
def test_refuses_impossible_sizes(size):
    with pytest.raises(DataError, match="32 to 4096 pixels, found"):
        SyntheticVideo(size=size)


def test_refuses_negative_seeds():
    with pytest.raises(DataError, match="0 or more, found -1"):
        SyntheticVideo(seed=-1, size=(32, 32))
