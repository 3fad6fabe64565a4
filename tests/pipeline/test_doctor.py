"""What `weclick doctor` finds: each usual trouble is made, and named."""

import socket
import sqlite3
from collections import namedtuple
from importlib import metadata

import cv2
import numpy as np
import pytest
import torch

from weclick.pipeline.doctor import devices, examine, limits, packages, places, services

USAGE = namedtuple("USAGE", "total used free")


def states(findings):
    return [finding.state for finding in findings]


@pytest.fixture
def versions(monkeypatch):
    """Install other versions of packages than there are, None for missing ones."""

    def install(**changed):
        changed = {name.replace("_", "-"): value for name, value in changed.items()}
        found = metadata.version

        def version(name):
            value = changed[name] if name in changed else found(name)
            if value is None:
                raise metadata.PackageNotFoundError(name)
            return value

        monkeypatch.setattr(packages, "version", version)

    return install


def test_the_packages_that_tests_run_with_fit():
    assert states(packages.examine_packages()) == ["ok"]
    assert states(packages.examine_python()) == ["ok"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"albumentations": "2.0.9"}, "2.0.9, weclick needs albumentations==2.0.8; run: pip install"),
        ({"lightning": "2.6.3"}, "2.6.3, weclick needs lightning<2.7,>=2.6.6"),
        ({"timm": None}, "timm: not installed, weclick needs timm>="),
        ({"albumentationsx": "2.1.0"}, "2.1.0 is installed over albumentations"),
        ({"opencv_python": "4.11.0"}, "pip uninstall opencv-python and then"),
    ],
)
def test_a_package_that_does_not_fit_is_named_with_the_command_that_installs_another(versions, changed, words):
    versions(**changed)
    (found,) = packages.examine_packages()
    assert found.state == "problem"
    assert words in str(found)


def test_a_torchvision_of_another_release_than_torch_is_named(monkeypatch):
    needed = {"weclick": ["torch>=2.10"], "torchvision": ["torch==2.9.0"]}
    monkeypatch.setattr(packages, "requires", needed.get)
    assert "torchvision needs torch==2.9.0" in str(next(packages.examine_packages()))


def test_a_python_that_is_too_old_is_a_problem(monkeypatch):
    monkeypatch.setattr(packages.platform, "python_version", lambda: "3.10.14")
    assert "3.10.14, weclick needs >=3.11" in str(next(packages.examine_python()))


def test_extras_may_be_missing_but_not_too_old(versions):
    versions(av=None, onnxruntime="1.2")
    video, engine = packages.examine_extras()
    assert (video.state, engine.state) == ("ok", "problem")
    assert "pip install 'weclick[video]'" in video.found
    assert "1.2, weclick needs onnxruntime>=" in str(engine)


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"cpu.max": "50000 100000"}, "warning"),
        ({"cpu.max": "max 100000"}, "ok"),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, "warning"),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "ok"),
        ({}, "ok"),
    ],
)
def test_a_container_that_gives_less_time_than_cores_is_named(tmp_path, files, state):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    (found,) = limits.examine_cores(tmp_path)
    assert found.state == state
    assert ("container gives the time of 0.5; set OMP_NUM_THREADS=1" in str(found)) == (state == "warning")


@pytest.mark.parametrize(("limit", "state"), [("1000000000", "warning"), ("max", "ok")])
def test_the_memory_of_a_container_counts(tmp_path, monkeypatch, limit, state):
    monkeypatch.setattr(limits.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4_000_000}.get)
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    assert states(limits.examine_memory(tmp_path)) == [state]


def test_dockers_shared_memory_is_too_small_for_large_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(limits.shutil, "disk_usage", lambda place: USAGE(0, 0, 64 << 20))
    (found,) = limits.examine_shared_memory(tmp_path)
    assert found.state == "warning"
    assert "--shm-size=" in found.remedy
    assert not list(limits.examine_shared_memory(tmp_path / "not there"))


@pytest.mark.parametrize(("free", "state"), [(1e8, "problem"), (2e9, "warning"), (1e11, "ok")])
def test_free_space_is_judged_and_nothing_is_left(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(places.shutil, "disk_usage", lambda place: USAGE(0, 0, free))
    found = places.examine_folder("current folder", tmp_path / "not" / "there", "elsewhere")
    assert found.state == state
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places.os, "fsync", full)
    found = places.examine_folder("current folder", tmp_path, "name another")
    assert found.state == "problem"
    assert f"{tmp_path} cannot be written (No space left on device); free some space, or name another" in str(found)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_ignores_locks_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(places.fcntl, "flock", lambda stream, operation: None)
    assert "locks on files have no effect" in places.examine_folder("current folder", tmp_path, "elsewhere").found


def test_a_database_that_a_second_process_can_write_into_is_noticed(tmp_path, monkeypatch):
    assert places._databases_lock(tmp_path / "one")
    monkeypatch.setattr(places, "_SECOND_WRITER", "pass")
    assert not places._databases_lock(tmp_path / "two")


def test_the_codecs_of_opencv_are_tried(monkeypatch):
    assert states(services.examine_video()) == ["ok"]
    monkeypatch.setattr(services, "_CODECS", {"VP8": ("VP80", ".mkv"), "H.999": ("H999", ".nonsense")})
    (found,) = services.examine_video()
    assert (found.state, found.found) == ("problem", "OpenCV cannot write and read H.999")


def test_a_port_in_use_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (found,) = services.examine_port(other.getsockname()[1])
    assert (found.state, "--port 0" in found.remedy) == ("warning", True)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"WANDB_MODE": "offline"}, "offline, by WANDB_MODE"),
        ({"WANDB_API_KEY": "0" * 40}, "logged in: runs are tracked online"),
        ({}, "not logged in: runs are tracked offline"),
        ({"NETRC": "netrc"}, "logged in: runs are tracked online"),
        ({"NETRC": "damaged"}, "not logged in"),
    ],
)
def test_tracking_is_stated_without_a_connection(tmp_path, monkeypatch, variables, words):
    def contact(*arguments, **options):
        raise AssertionError("contacted somebody")

    (tmp_path / "netrc").write_text("machine tracker.example login user password secret\n")
    (tmp_path / "damaged").write_text("nonsense here\n")
    monkeypatch.setattr(socket.socket, "connect", contact)
    monkeypatch.setenv("WANDB_BASE_URL", "https://tracker.example")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value) if name == "NETRC" else value)
    (found,) = services.examine_tracking()
    assert found.found.startswith(words)
    assert "secret" not in str(found)


def test_a_driver_that_is_too_old_is_named_in_pytorchs_words(monkeypatch):
    def available():
        devices.warnings.warn("The NVIDIA driver on your system is too old (found version 11040)", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", available)
    (found,) = devices._examine_gpus()
    assert found.state == "warning"
    assert "driver on your system is too old (found version 11040)); update the driver" in str(found)


@pytest.mark.parametrize(
    ("cuda", "hidden", "words"),
    [(None, None, "this PyTorch is without CUDA"), ("13.0", "-1", "no GPU is visible, CUDA_VISIBLE_DEVICES is '-1'")],
)
def test_a_gpu_that_is_not_used_is_named_with_the_reason(monkeypatch, tmp_path, cuda, hidden, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(devices, "_NVIDIA", (tmp_path,))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    (found,) = devices._examine_gpus()
    assert words in str(found)


def test_missing_weights_are_named_with_the_package_that_holds_them(monkeypatch):
    monkeypatch.setattr("weclick.models.weights.PACKAGED", {"tf_efficientnet_lite0": "not_there"})
    (found,) = devices._examine_weights()
    assert (found.state, "not-there" in found.remedy) == ("problem", True)


def test_a_check_that_fails_is_a_problem_and_the_others_go_on(monkeypatch):
    def broken():
        raise sqlite3.InterfaceError("no library")

    checks = {"broken": broken, "Python": packages.examine_python}
    monkeypatch.setattr(examine, "CHECKS", checks)
    first, second = examine.examine()
    assert str(first).startswith("problem  broken: cannot be examined (InterfaceError: no library)")
    assert second.state == "ok"


def test_a_data_set_is_read_too(folder_root, tmp_path):
    assert examine.examine_data(folder_root).state == "ok"
    assert examine.examine_data(tmp_path / "nowhere").state == "problem"
    (tmp_path / "frames" / "a").mkdir(parents=True)
    (tmp_path / "classes.yaml").write_text("[ground]\n")
    cv2.imwrite(str(tmp_path / "frames" / "a" / "0.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "frames" / "a" / "1.png").write_bytes(b"")
    found = examine.examine_data(tmp_path)
    assert (found.state, "1.png is empty" in found.found) == ("problem", True)
