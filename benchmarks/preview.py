"""Measure the time from a click in ``weclick annotate`` to the changed overlay, in Chromium.

A synthetic street is clicked at random places, with a pause after each click. The first click on a frame, for which the frame's
features are computed too, is stated apart. Needs Debian's chromium and ``pip install playwright``:

    python benchmarks/preview.py [--size 540 960] [--clicks 60]
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from weclick.synthetic import write_synthetic

PER_FRAME: Final = 12
PAUSE: Final = 500
"""Milliseconds after a changed overlay before the next click; people take longer."""

# the first drawing of a new overlay, an ImageBitmap, after the press of the button
_WATCH: Final = """
  const seen = new WeakSet(), draw = CanvasRenderingContext2D.prototype.drawImage;
  window.changes = 0;
  addEventListener("pointerdown", () => (window.clicked = performance.now()), true);
  CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
    if (image instanceof ImageBitmap && !seen.has(image)) {
      seen.add(image);
      window.changes += 1;
      window.waited = performance.now() - window.clicked;
    }
    return draw.call(this, image, ...rest);
  };
"""


def main() -> None:
    """Print percentiles for a size."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--size", type=int, nargs=2, default=(540, 960), metavar=("H", "W"))
    parser.add_argument("--clicks", type=int, default=60)
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        root = Path(folder) / "streets"
        frames = -(-chosen.clicks // PER_FRAME)
        write_synthetic(root, train=1, val=1, frames=max(frames, 3), target=1, size=tuple(chosen.size))
        with _server(root) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(_WATCH)
            page.goto(url)
            first, later = _measure(page, chosen.clicks)
            browser.close()
    for name, times in (("first click on a frame", first), ("every other click", later)):
        p50, p95, most = np.percentile(times, (50, 95, 100))
        print(
            f"{chosen.size[1]}x{chosen.size[0]}, {name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, most {most:.0f} ms ({len(times)})"
        )


def _measure(page: Page, clicks: int) -> tuple[list[float], list[float]]:
    """Return milliseconds from click to changed overlay, of the first clicks on frames and of all others."""
    dice, first, later = random.Random(0), list[float](), list[float]()
    expect(page.locator("#preview")).to_have_text("preview: click an object first", timeout=120_000)
    box = page.evaluate(
        "[document.querySelector('#top'), document.querySelector('#bottom')].map((e) => e.offsetHeight)"
    )
    for number in range(clicks):
        if number and number % PER_FRAME == 0:
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(2000)
        page.keyboard.press(dice.choice("12345"))
        before = page.evaluate("window.changes")
        page.mouse.click(dice.uniform(300, 980), dice.uniform(box[0] + 80, 800 - box[1] - 80))
        while page.evaluate("window.changes") == before:  # the page's security policy forbids wait_for_function
            page.wait_for_timeout(10)
        (later if number % PER_FRAME else first).append(page.evaluate("window.waited"))
        page.wait_for_timeout(PAUSE)
    return first, later


def _chromium() -> str:
    return shutil.which("chromium") or sys.exit("chromium is not installed: apt install chromium")


@contextmanager
def _server(root: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "weclick", "annotate", str(root), "--open", "false", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(url[0] for line in process.stdout if (url := re.search(r"http://\S+", line)))
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
