"""Promises of the whole program that no single room can keep: no teacher needed, no network needed."""

import json
import shutil
import sys

import cv2
import numpy as np
import pytest

from weclick.clicks import Click, ClickStore
from weclick.conventions import FrameKey
from weclick.data.dataset import DataSet
from weclick.inference.checkpoint import read_checkpoint
from weclick.reporting import tracker

_requests: list[str] | None = None
_NETWORK_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


def _watch(event, arguments):
    if _requests is not None and event in _NETWORK_EVENTS:
        _requests.append(f"{event} {arguments}")


sys.addaudithook(_watch)


@pytest.fixture
def requests():
    """Network requests of this process from now on."""
    global _requests
    _requests = []
    yield _requests
    _requests = None


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "bilder ä"
    folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((64, 96, 3), 90 * number, np.uint8))
    return folder


@pytest.mark.slow
def test_promise_1_test_and_predict_need_no_teacher(weclick, trained, frames, tmp_path):
    shutil.copytree(trained, tmp_path / "runs")
    for stage in ("teacher", "memory"):
        shutil.rmtree(tmp_path / "runs" / "done" / stage)
    weclick("test").done()
    weclick("predict", "--source", frames, "--out", "out").done()
    assert len(list((tmp_path / "out").rglob("labels/*.png"))) == 2


@pytest.mark.slow
def test_promise_6_nothing_is_requested_from_the_network(weclick, fit, frames, requests):
    packaged = ("encoder=tf_efficientnet_lite0", "weights=imagenet")
    pretrained = [f"--{stage}.network.{option}" for stage in ("teacher", "student") for option in packaged]
    fit(*pretrained, "--name", "run").done()
    weclick("test").done()
    weclick("predict", "--source", frames, "--out", "out").done()
    assert not requests


def test_promise_6_a_user_without_a_key_is_logged_offline_without_a_request(requests, monkeypatch, tmp_path):
    (tmp_path / "netrc").touch()
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    assert tracker.wandb_mode("auto") == "offline"
    assert not requests


@pytest.mark.slow
def test_promise_6_a_tracker_that_fails_never_stops_a_fit(fit, monkeypatch, tmp_path):
    def fail(**options):
        raise ConnectionError("no route")

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr("wandb.init", fail)
    with pytest.warns(UserWarning, match="Weights & Biases failed and is left out") as warned:
        fit("--name", "run").done()
    assert len([w for w in warned if "Weights & Biases" in str(w.message)]) == 3  # teacher, memory, student
    assert (tmp_path / "runs" / "run" / "student" / "metrics.csv").stat().st_size > 0


@pytest.mark.slow
def test_trap_4_callbacks_of_a_config_come_on_top_of_ours(fit, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.EarlyStopping\n"
        "    init_args: {monitor: val/miou, mode: max, patience: 1, min_delta: 1}\n"
    )
    fit("--config", "mine.yaml", "--arm", "clicks", "--name", "run", "--trainer.max_epochs=5").done()
    student = tmp_path / "runs" / "run" / "student"
    assert read_checkpoint(student / "last.ckpt")["epoch"] == 1  # stopped early
    assert {path.name for path in student.glob("*.*")} >= {"best.ckpt", "last.ckpt", "metrics.csv", "val_samples.png"}


@pytest.fixture
def unmasked(tmp_path):
    """Four videos of four frames without masks, each frame with two clicks."""
    root = tmp_path / "own"
    for video in "abcd":
        (root / "frames" / video).mkdir(parents=True)
        for number in range(4):
            picture = np.full((64, 96, 3), 60 * number, np.uint8)
            picture[:, 48:] = 255 - 60 * number
            cv2.imwrite(str(root / "frames" / video / f"{number}.png"), picture)
    (root / "classes.yaml").write_text("[left, right, never]", encoding="utf-8")
    with ClickStore.create(root / "clicks.sqlite", DataSet.open(root).classes) as store:
        for key in [FrameKey(video, number) for video in "abcd" for number in range(4)]:
            store.add(key, [Click(20.0, 30.0, 0), Click(70.0, 30.0, 1)], size=(64, 96))
    return root


@pytest.mark.slow
def test_promise_12_without_masks_a_score_says_that_it_was_measured_with_held_out_clicks(
    weclick, unmasked, tiny, tmp_path, caplog
):
    size = ("--data.size=[64,96]", "--arm=clicks", "--name=run", "--report=false")
    fitted = weclick("fit", "--data.root", unmasked, *tiny, *size).done()
    assert "held out to measure with: 4 of 16 clicked frames (8 clicks), video a" in caplog.messages
    assert "next: weclick test --run runs/run" in fitted.out
    tested = weclick("test").done()
    assert "on frames with held-out clicks of" in tested.out
    assert "measured with 8 held-out clicks; says nothing about borders" in " ".join(tested.out.split())
    metrics = json.loads((tmp_path / "runs" / "run" / "test" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["measured_with"] == "clicks" and metrics["miou"] is None and 0 <= metrics["accuracy"] <= 1
    assert (metrics["evaluated"]["frames"], metrics["evaluated"]["clicks"]) == (4, 24)
    weclick("fit", "--resume", "run", "--data.clicks.held_out", "0.5").done()  # the run keeps its own


@pytest.mark.slow
def test_without_masks_and_held_out_clicks_test_is_refused(weclick, unmasked, tiny):
    options = ("--data.size=[64,96]", "--arm=clicks", "--name=run", "--data.clicks.held_out=0")
    assert "next: weclick predict" in weclick("fit", "--data.root", unmasked, *tiny, *options).done().out
    weclick("test").refused("has no masks in its val split", "holds no clicks out", "train a new run")
    assert weclick("test", "--required", "false").done().out.startswith("not measured: ")
