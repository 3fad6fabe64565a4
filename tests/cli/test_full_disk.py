"""Commands on a disk that is full: one line with file and disk, nothing half-written."""

import cv2
import numpy as np
import pytest

from weclick.inference.writer import VideoWriter

from ..faults.disks import SmallDisk


@pytest.fixture
def disk(tmp_path):
    """Mount a disk of some megabytes; only root can."""
    mounted = []

    def mount(megabytes):
        try:
            mounted.append(SmallDisk(tmp_path / "disk", megabytes))
        except PermissionError as error:
            pytest.skip(str(error))
        return mounted[0].place

    yield mount
    for disk in mounted:
        disk.remove()


def names(place):
    return {path.relative_to(place).as_posix() for path in place.rglob("*")}


def test_a_data_set_that_does_not_fit(weclick, disk):
    place = disk(1)
    arguments = ("--train", 4, "--val", 2, "--frames", 6, "--target", 3, "--size", "[128,256]")
    weclick("data", "synthetic", place / "data", *arguments).refused(
        f"{place}/data cannot", f"{place} is full (0.00 GB"
    )
    assert not names(place)


def test_a_video_whose_frames_do_not_fit(weclick, disk, tmp_path):
    place, rng = disk(1), np.random.default_rng(0)
    with VideoWriter(tmp_path / "drive.webm", 10) as video:
        for _ in range(20):
            video.write(rng.integers(0, 255, (256, 512, 3), np.uint8))
    line = weclick("init", place / "mine", "--videos", tmp_path / "drive.webm", "--classes", "road,car").refused()
    assert f"{place}/mine/frames/drive cannot be written: the disk {place} is full (0.00 GB free); free some" in line
    assert not {name for name in names(place) if name.endswith((".jpg", ".lock"))}


def test_clicks_that_do_not_fit(weclick, disk, synthetic_root):
    place = disk(1)
    (place / "other").write_bytes(bytes(1020 << 10))
    line = weclick("clicks", "simulate", synthetic_root, "--out", place / "clicks.sqlite").refused()
    assert f"{place}" in line
    assert "full" in line
    assert names(place) == {"other"}


def test_a_checkpoint_that_does_not_fit(fit, disk):
    place = disk(5)
    large = ("--student.network.encoder", "tf_efficientnet_lite0")
    result = fit("--arm", "clicks", *large, "--runs", place / "runs", "--name", "a")
    result.refused(
        f"{place}/runs/a/student/", ".ckpt cannot be written", f"the disk {place} is full (0.00 GB free); free"
    )
    assert names(place) == {"runs"}


def test_labels_that_do_not_fit(weclick, trained, disk, tmp_path):
    place, rng = disk(1), np.random.default_rng(0)
    (place / "other").write_bytes(bytes(1000 << 10))
    (tmp_path / "frames").mkdir()
    for number in range(8):
        image = rng.integers(0, 255, (256, 512, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), image)
    options = ("--run", trained / "done", "--source", tmp_path / "frames", "--out", place / "out", "--overlay", "false")
    weclick("predict", *options).refused("cannot be written", f"the disk {place} is full")
    assert not {name for name in names(place) if "/." in name} - {"out/.predicted"}
