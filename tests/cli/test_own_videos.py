"""The way of somebody with own videos, wide and tall, and no masks: from the videos to a published model."""

import json

import cv2
import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

from weclick import load
from weclick.annotate.api import create_app
from weclick.annotate.catalog import Catalog
from weclick.annotate.security import Access
from weclick.clicks import ClickStore
from weclick.conventions import FrameKey
from weclick.data.layouts import open_layout
from weclick.inference.sources import open_source

from .conftest import TINY

pytestmark = [pytest.mark.slow, pytest.mark.engines]

VIDEOS = {"wide": (64, 128), "tall": (128, 64)}
FRAMES = 10
COLOURS = ((40, 160, 40), (200, 90, 60))
"""BGR of grass, and of sky in the upper half of every picture."""


def write_video(path, size):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size[::-1])
    for number in range(FRAMES):
        picture = np.full((*size, 3), COLOURS[0], np.uint8)
        picture[: size[0] // 2] = COLOURS[1]
        writer.write(cv2.add(picture, np.full_like(picture, number)))
    writer.release()


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "my videos"
    folder.mkdir()
    for name, size in VIDEOS.items():
        write_video(folder / f"{name}.avi", size)
    return folder


def click_all(root):
    """Click sky and grass on every frame, through the API of the page."""
    access = Access(frozenset({"127.0.0.1"}), 8765, None)
    catalog = Catalog(open_layout("folder", root), root / "clicks.sqlite")
    ClickStore.create(catalog.store, catalog.classes).close()
    app = create_app(catalog, access)
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        for video, (height, width) in VIDEOS.items():
            for number in range(FRAMES):
                clicks = [
                    {"x": width / 2, "y": height * (1 - class_id / 2 - 0.25), "class_id": class_id, "seconds": 1.0}
                    for class_id in (0, 1)
                ]
                sent = {"client": "client-of-ann", "annotator": "ann", "version": 0, "status": "done", "seconds": 2.0}
                url = f"/api/frames/{catalog.id_of(FrameKey(video, number))}"
                client.put(url, json={**sent, "clicks": clicks}).raise_for_status()


def test_from_wide_and_tall_videos_without_masks_to_a_published_model(weclick, videos, tmp_path):
    weclick("init", "project", "--videos", videos, "--classes", "grass,sky").done()
    root = tmp_path / "project"
    assert yaml.safe_load((root / "config.yaml").read_text())["data"]["draws"]["crop"][0] > 0  # squares for both shapes
    weclick("data", "check", root).done()
    click_all(root)

    options = (
        "--config",
        root / "config.yaml",
        *TINY,
        "--arm",
        "weclick",
        "--trainer.min_steps=40",
        "--data.draws.colour=0",
    )
    result = weclick("fit", *options, "--name", "mine").done()
    assert "trained from: 18 frames of 20" in result.out  # two are held out
    assert "measured with 4 held-out clicks" in result.out  # as weclick test does, at the end of the fit
    assert result.out.splitlines()[-1] == "next: weclick predict --run runs/mine --source VIDEO"
    measured = (tmp_path / "runs/mine/test/metrics.json").read_text()
    assert json.loads(measured)["measured_with"] == "clicks"

    result = weclick("test", "--run", "runs/mine", "--pairs", "0").done()
    assert "measured with 4 held-out clicks" in result.out
    found = json.loads((tmp_path / "runs/mine/test/metrics.json").read_text())
    assert found["class_accuracy"] == json.loads(measured)["class_accuracy"]

    weclick(
        "predict", "--run", "runs/mine", "--source", videos / "tall.avi", "--labels", "true", "--out", "seen"
    ).done()
    labels = sorted((tmp_path / "seen").rglob("*.png"))
    assert len(labels) == FRAMES
    assert cv2.imread(str(labels[0]), cv2.IMREAD_UNCHANGED).shape == VIDEOS["tall"]

    weclick("package", "runs/mine", "--out", "published").done()
    trained, published = load("runs/mine"), load("published")
    for name in VIDEOS:
        frame = next(iter(open_source(videos / f"{name}.avi"))).image
        assert np.array_equal(trained.predict(frame).labels, published.predict(frame).labels)
