"""A data set with marked pixels, a server process, and a person at a browser, for the tests of the page."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager

import cv2
import numpy as np
import pytest
import yaml
from playwright.sync_api import expect, sync_playwright

from weclick.classes import ClassSet
from weclick.clicks import ClickStore
from weclick.data.index import FrameKey

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH"),
]
CLASSES = ["road", "<script>document.title = 'owned'</script>", "Straße & 木", *(f"class {i}" for i in range(3, 35))]
HEIGHT, WIDTH = 200, 320
MARKS = 12


def write_marked_set(root, videos=("Straße 1", "<img src=x onerror=alert(1)>", "c", "d", "e"), frames=12):
    """Write a folder data set whose frames contain single pixels of given colours, far apart, at given positions."""
    root.mkdir()
    entries = [{"name": name, "thing": index % 2 == 1} for index, name in enumerate(CLASSES)]
    (root / "classes.yaml").write_text(yaml.safe_dump(entries, allow_unicode=True))
    (root / "splits.yaml").write_text(yaml.safe_dump({"train": list(videos), "val": ["v"]}, allow_unicode=True))
    for video in (*videos, "v"):
        folder = root / "frames" / video
        folder.mkdir(parents=True)
        for number in range(0, 2 * frames, 2):
            picture = np.full((HEIGHT, WIDTH, 3), (70, 60, 50 + number), np.uint8)
            for color, (x, y) in marks((video, number)).items():
                picture[y, x] = color[::-1]
            cv2.imencode(".png", picture)[1].tofile(folder / f"{number}.png")
    return root


def marks(key):
    """Return the marked pixels of a frame: RGB colour -> (x, y)."""
    seed = sum(key[0].encode()) + 1000 * key[1]
    cells = np.random.default_rng(seed).permutation(60)[:MARKS]
    jitter = np.random.default_rng(seed + 1).integers(0, 12, (MARKS, 2))
    positions = [
        (10 + 30 * (cell % 10) + dx, 10 + 30 * (cell // 10) + dy) for cell, (dx, dy) in zip(cells, jitter, strict=True)
    ]
    return {(255, 20 * i, 255 - 20 * i): (int(x), int(y)) for i, (x, y) in enumerate(positions)}


class Server:
    """``weclick annotate`` as a separate process, always on the same port."""

    def __init__(self, root, *options):
        self.root, self.options = root, options or ("--preview", "false")
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self):
        options = ["--open", "false", "--port", str(self.port), *self.options]
        command = [sys.executable, "-m", "weclick", "annotate", str(self.root), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not self.is_ready():
            assert self.process.poll() is None, self.process.stderr.read().decode()
            assert time.monotonic() < deadline, "the server does not respond"
            time.sleep(0.05)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}api/project", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()

    @contextmanager
    def store(self):
        """Open the click store, as another program would."""
        classes = ClassSet.read(self.root / "classes.yaml")
        with ClickStore(self.root / "clicks.sqlite", classes) as store:
            yield store

    def clicks(self, key):
        """Return the stored clicks of a frame, as (x, y, class id)."""
        with self.store() as store:
            return [tuple(click) for click in store.clicks(FrameKey(*key))]

    def status(self, key):
        with self.store() as store:
            return store.frame(FrameKey(*key)).status


class Person:
    """A person who uses the page and only knows what is on the screen."""

    def __init__(self, page, url):
        self.page = page
        self.errors = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._collect_error)
        page.goto(url)
        expect(self["number"]).not_to_have_text("")

    def _collect_error(self, message):
        # the browser itself reports unreachable servers and refused saves
        if message.type == "error" and not re.search("ERR_CONNECTION|409|Failed to load resource", message.text):
            self.errors.append(message.text)

    def __getitem__(self, name):
        return self.page.locator(f"#{name}")

    @property
    def key(self):
        """The current frame."""
        number = re.match(r"frame (\d+) · ", self["number"].inner_text())[1]
        return self["video"].inner_text(), int(number)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def click(self, at, **options):
        self.page.mouse.click(*at, **options)

    def drag(self, start, end, button="left"):
        self.page.mouse.move(*start)
        self.page.mouse.down(button=button)
        self.page.mouse.move(*end, steps=4)
        self.page.mouse.up(button=button)

    def chip(self, class_id):
        return self.page.locator(".chip").nth(class_id)

    def saved(self):
        expect(self["saved"]).to_have_text("✓ saved", timeout=25_000)

    def go(self, key):
        """Press a key that shows another frame, and wait for it."""
        before = self["video"].inner_text(), self["number"].inner_text()
        self.press(key)
        for _ in range(600):  # 15 seconds, as in `expect`
            if (self["video"].inner_text(), self["number"].inner_text()) != before:
                return self.key
            self.page.wait_for_timeout(25)
        raise AssertionError(f"{key} shows no other frame; toast: {self['toast'].inner_text()!r}")

    def fresh(self):
        """Go to a frame without points."""
        while self.page.locator(".count:not(:empty)").count():
            self.go("n")
        return self

    def zoom(self):
        return int(self["zoom"].text_content().split()[0]) / 100

    def see(self):
        """Return the marks that are visible on the screen: RGB colour -> centre in CSS pixels."""
        shot = cv2.imdecode(np.frombuffer(self.page.screenshot(scale="device"), np.uint8), cv2.IMREAD_COLOR)
        ratio = shot.shape[1] / self.page.viewport_size["width"]
        visible = {}
        where = np.nonzero(shot[..., 2] == 255)  # red, as all marks are
        candidates = shot[where]
        for color in marks(self.key):
            ys, xs = (axis[(candidates == color[::-1]).all(axis=1)] for axis in where)
            whole = len(xs) >= 0.8 * (max(self.zoom(), 1) * ratio - 1) ** 2
            if len(xs) and whole:
                visible[color] = ((xs.mean() + 0.5) / ratio, (ys.mean() + 0.5) / ratio)
        return visible


expect.set_options(timeout=15_000)  # the machine may be busy


@contextmanager
def browser():
    """Start the system's chromium; as root it only runs without a sandbox."""
    flags = ["--no-sandbox", "--force-color-profile=srgb"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


def assert_stored(server, key, expected, within=0.5):
    """Assert that exactly the clicks (x, y, class id) of ``expected`` are stored, up to a distance of ``within``."""
    stored = sorted(server.clicks(key), key=lambda click: (click[2], click[0], click[1]))
    expected = sorted(expected, key=lambda click: (click[2], click[0], click[1]))
    assert [click[2] for click in stored] == [click[2] for click in expected]
    for (x, y, _), (mark_x, mark_y, _) in zip(stored, expected, strict=True):
        assert abs(x - mark_x) <= within
        assert abs(y - mark_y) <= within


def click_marks(person, colors, class_id, spots=None):
    spots = spots or person.see()
    for color in colors:
        person.click(spots[color])
    return [(*marks(person.key)[color], class_id) for color in colors]
