"""From a video to its result, all by the page, while the server is killed twice on the way."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from weclick.data.project import Project
from weclick.synthetic.render import SyntheticVideo

from .browser import NEEDS_BROWSER, Server

pytestmark = NEEDS_BROWSER
SLOW = 300_000  # milliseconds; torch is imported by processes that share the cores


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "street.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 64))
    rendered = SyntheticVideo(0, 0, (64, 128))
    for number in range(6):
        writer.write(np.ascontiguousarray(rendered.frame(number).image[..., ::-1]))
    writer.release()
    return path


class Starter(Server):
    """``weclick start`` as a separate process, always on the same port."""

    def start(self):
        options = ["--port", str(self.port), "--open", "false", "--preview", "false", "--goal", "2"]
        command = [sys.executable, "-m", "weclick", "start", str(self.root), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert b"open http" in self.process.stdout.readline(), self.process.stderr.read().decode()

    def close(self):
        super().close()
        self.process.stdout.close()


@pytest.fixture
def starter(video, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    started = Starter(video)
    yield started
    started.close()
    lock = video.with_name("street-weclick") / "runs" / "train.lock"
    if lock.exists() and lock.read_text():
        subprocess.run(["kill", lock.read_text()], check=False, stderr=subprocess.DEVNULL)


def test_from_video_to_result_while_the_server_is_killed_twice(starter, video, chromium):
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(starter.url)

    # classes are named in the page, by keyboard alone
    name = page.locator("[data-field=name]").nth(0)
    expect(name).to_be_focused()
    for text in ("yes", "yes"):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    page.click("#begin")
    expect(page.locator("#problem")).to_have_text("class names used twice: yes; every class needs a name of its own")
    page.locator("[data-field=name]").nth(1).fill("<b>car")
    starter.kill()
    page.click("#begin")
    expect(page.locator("#problem")).to_have_text("server unreachable")
    starter.start()
    page.click("#begin")

    # frames are offered; the second kill loses no click
    expect(page.locator("#number")).to_have_text(re.compile("of 6$"), timeout=SLOW)
    for _ in range(2):
        page.keyboard.press("1")
        page.mouse.click(640, 500)
        page.keyboard.press("2")
        page.mouse.click(500, 250)
        expect(page.locator("#saved")).to_have_text("✓ saved")
        page.keyboard.press("n")
        expect(page.locator(".count:not(:empty)")).to_have_count(0)
    project = Project(video.with_name("street-weclick"))
    assert [entry["name"] for entry in yaml.safe_load((project.folder / "classes.yaml").read_text())] == [
        "yes",
        "<b>car",
    ]

    expect(page.locator("#progress-text")).to_have_text("2 of 2 done · 0 skipped · press Train")
    make_tiny(project)
    page.click("#train")
    page.click("#training-actions button")
    expect(page.locator("#training-status")).to_contain_text("train-1: training")
    starter.kill()
    starter.start()
    expect(page.locator("#training-status")).to_have_text("train-1 is trained.", timeout=SLOW)
    expect(page.locator("#training-curves svg")).to_have_count(1)
    expect(page.locator("#training-suggestions button").first).to_have_text(re.compile("^street [0-9]$"))

    # the border divides the original from the prediction
    def columns():
        return page.evaluate(
            "() => { const c = document.querySelector('#result-canvas'); const d = c.getContext('2d');"
            "return c.width && [5, c.width - 5].map((x) => [...d.getImageData(x, 9, 1, 1).data]); }"
        )

    expect(page.locator("#result-canvas")).to_have_attribute("width", "128")
    page.locator("#result-split").fill("1000")
    original = columns()
    page.locator("#result-split").fill("0")
    assert columns() != original
    page.click("#result-play")
    page.locator("#training-suggestions button").first.click()
    expect(page.locator("#training")).not_to_be_visible()
    page.close()
    assert errors == []
    assert json.loads((project.runs / "train.json").read_text())["outcome"] == "done"


def make_tiny(project):
    """Let a training take two steps, as a user may by the project's config."""
    config = yaml.safe_load(project.config.read_text())
    config["student"]["network"].update(encoder="test_efficientnet", weights="none", width=16)
    config["data"].update(size=[64, 128], batch_size=2, workers=0)
    config["trainer"].update(max_epochs=2, min_steps=None)
    project.config.write_text(yaml.safe_dump(config))
