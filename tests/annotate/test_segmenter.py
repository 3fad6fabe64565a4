"""What the preview's worker process learns, in this process."""

import time

import cv2
import numpy as np
import pytest

from weclick.annotate.segmenter import Segmenter
from weclick.errors import DataError


@pytest.fixture
def version(tmp_path):
    """Write a picture whose left half is grey and whose right half is red."""

    def write(name):
        image = np.full((32, 64, 3), 120, np.uint8)
        image[:, 32:] = (30, 30, 200)
        path = tmp_path / name
        cv2.imwrite(str(path), image)
        return path, path.stat().st_mtime_ns, path.stat().st_size

    return write


def test_the_last_clicks_are_learned_from_also_when_another_frame_is_prepared_after_them(version):
    segmenter, clicked, other = Segmenter(2, 0), version("a.png"), version("b.png")
    segmenter.learn(clicked, [(10.0, 10.0, 0)])
    segmenter.learn(clicked, [(10.0, 10.0, 0), (50.0, 10.0, 1)])
    segmenter.prepare(other)
    deadline = time.monotonic() + 60
    while (found := segmenter.segment(other, [])) is None or 1 not in found.ids:
        assert time.monotonic() < deadline
    assert (found.ids[:, :28] == 0).all() and (found.ids[:, 36:] == 1).all()


def test_a_frame_is_examined_by_the_shared_probe_alone(version, tmp_path):
    segmenter, clicked, other = Segmenter(2, 0), version("a.png"), version("b.png")
    assert segmenter.examine(other) is None  # nothing has been learned
    segmenter.learn(clicked, [(10.0, 10.0, 0), (50.0, 10.0, 1)])
    deadline = time.monotonic() + 60
    while (found := segmenter.examine(other)) is None:
        assert time.monotonic() < deadline
    assert found[1] is None and 0 <= found[0] < 0.5
    assert segmenter.examine(other)[1] == 0.0  # no click since then
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(DataError):
        segmenter.examine(other)
