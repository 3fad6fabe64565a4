"""Features of frames that are kept on disk."""

import logging
import os

import numpy as np
import pytest
import torch

from weclick.files import sha256
from weclick.probe.cache import CachedFeatures
from weclick.probe.features import Features, FrozenFeatures

IMAGE = np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8)


class Frozen:
    """Features of an image's mean colour; counts how often it computes."""

    key = "mean colour"

    def __init__(self):
        self.computed = 0

    def __call__(self, image):
        self.computed += 1
        mean = torch.from_numpy(image.mean((0, 1))).half()
        return Features([mean[:, None, None].expand(3, 8, 8), mean[:2, None, None].expand(2, 4, 4)], image.shape[:2])


@pytest.fixture
def frozen():
    return Frozen()


def equal(one, other):
    return one.source == other.source and all(map(torch.equal, one.maps, other.maps))


def test_a_frame_is_computed_once_also_by_another_process(frozen, tmp_path):
    first = CachedFeatures(frozen, tmp_path / "features", 10**6)(IMAGE)
    again = CachedFeatures(frozen, tmp_path / "features", 10**6)(IMAGE.copy())
    assert frozen.computed == 1
    assert equal(first, again) and again.maps[0].dtype == torch.float16


def test_other_pixels_another_shape_and_another_encoder_are_other_features(frozen, tmp_path):
    cached = CachedFeatures(frozen, tmp_path, 10**6)
    cached(IMAGE)
    cached(IMAGE + 1)
    cached(IMAGE.reshape(40, 24, 3))
    frozen.key = "another"
    cached(IMAGE)
    assert frozen.computed == 4


def test_the_least_recently_used_are_removed_first(frozen, tmp_path):
    cached = CachedFeatures(frozen, tmp_path, 10**6)
    images = [IMAGE + shift for shift in range(3)]
    for age, image in enumerate(images):
        before = set(tmp_path.iterdir())
        cached(image)
        [path] = set(tmp_path.iterdir()) - before
        os.utime(path, (1000 + age, 1000 + age))
    cached(images[0])  # used now
    cached.limit = 2 * path.stat().st_size
    cached(IMAGE + 9)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= cached.limit
    frozen.computed = 0
    cached(images[0])
    assert frozen.computed == 0


def test_a_damaged_file_is_computed_again_and_replaced(frozen, tmp_path):
    cached = CachedFeatures(frozen, tmp_path, 10**6)
    first = cached(IMAGE)
    [path] = tmp_path.iterdir()
    whole = sha256(path)
    path.write_bytes(path.read_bytes()[:100])
    assert equal(cached(IMAGE), first)
    assert sha256(path) == whole


def test_a_folder_that_cannot_be_written_is_one_warning(frozen, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cached = CachedFeatures(frozen, tmp_path / "file" / "features", 10**6)
    with caplog.at_level(logging.WARNING):
        assert equal(cached(IMAGE), cached(IMAGE))
    assert len(caplog.records) == 1 and str(tmp_path / "file") in caplog.text


def test_a_limit_of_zero_keeps_nothing(frozen, tmp_path):
    CachedFeatures(frozen, tmp_path / "features", 0)(IMAGE)
    assert not (tmp_path / "features").exists()


def test_the_real_features_are_read_as_they_were_computed(tmp_path):
    real = FrozenFeatures()
    cached = CachedFeatures(real, tmp_path, 10**8)
    assert equal(cached(IMAGE), real(IMAGE)) and equal(cached(IMAGE), real(IMAGE))
    other = FrozenFeatures()
    assert other.key == real.key
    next(other.network.body.encoder.parameters()).data.add_(1)
    del other.key
    assert other.key != real.key
