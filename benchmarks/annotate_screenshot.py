"""Take the documentation's picture of ``weclick annotate``: a synthetic street, clicked through the page itself.

Needs Debian's chromium and ``pip install playwright``; the picture is 1280 x 800, in 256 colours to stay small:

    python benchmarks/annotate_screenshot.py docs/annotate.png
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from weclick.clicks import Click, ClickStore
from weclick.conventions import FrameKey
from weclick.data.layouts import open_layout
from weclick.data.masks import simulate_split
from weclick.synthetic import write_synthetic

SIZE, WINDOW = (512, 1024), (1280, 800)
VIDEO, TARGET = "synthaven_000001", 7
CLASS_KEYS = "1234567890abdeghijklmqruwxyz"
LEAST_AREA = 2000


def main(out: Path) -> None:
    """Write the picture to ``out``."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "streets"
        write_synthetic(root, train=3, val=1, frames=TARGET + 1, target=TARGET, size=SIZE)
        clicks = _clicks(root, Path(folder) / "simulated.sqlite")
        with _server(root) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]})
            page.goto(url)
            picture = _work(page, clicks)
            browser.close()
    _in_256_colours(Image.open(BytesIO(picture)).convert("RGB")).save(out, optimize=True)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


def _in_256_colours(picture: Image.Image) -> Image.Image:
    """Return the picture in 256 colours, 96 of them for the row of classes, whose small area would get only a few."""
    palette = Image.new("P", (1, 1))
    classes = picture.crop((0, WINDOW[1] - 122, *WINDOW))
    colors = [part.quantize(count).getpalette() or [] for part, count in ((classes, 96), (picture, 160))]
    palette.putpalette(colors[0][: 3 * 96] + colors[1][: 3 * 160])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _clicks(root: Path, path: Path) -> dict[FrameKey, list[Click]]:
    layout = open_layout("auto", root)
    simulate_split(layout, "train", path, rule="center", min_area=LEAST_AREA, seed=0)
    with ClickStore(path, layout.classes, readonly=True) as store:
        return store.all_clicks()


def _chromium() -> str:
    return shutil.which("chromium") or sys.exit("chromium is not installed: apt install chromium")


@contextmanager
def _server(root: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "weclick", "annotate", str(root), "--open", "false", "--port", "0", "--goal", "24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(url[0] for line in process.stdout if (url := re.search(r"http://\S+", line)))
        finally:
            process.terminate()


def _work(page: Page, clicks: dict[FrameKey, list[Click]]) -> bytes:
    """Click the road in some frames, skip some, and click all of another one."""
    expect(page.locator("#number")).not_to_have_text("")
    expect(page.locator("#preview")).to_have_text("preview: click an object first", timeout=60_000)
    for key in "nnnsnnsnn":
        page.mouse.click(0.52 * WINDOW[0], 0.78 * WINDOW[1])
        _press(page, key)
    while page.locator("#video").inner_text() != VIDEO:
        _press(page, "PageDown" if page.locator("#video").inner_text() < VIDEO else "PageUp")
    _click(page, clicks[_seek(page, TARGET)])
    page.mouse.move(0.58 * WINDOW[0], 0.7 * WINDOW[1])
    expect(page.locator("#saved")).to_have_text("✓ saved")
    expect(page.locator("#preview")).to_have_text("", timeout=60_000)
    page.wait_for_timeout(4000)  # until the last message has disappeared
    return page.screenshot()


def _press(page: Page, key: str) -> None:
    label = page.locator("#video").inner_text() + page.locator("#number").inner_text()
    page.keyboard.press(key)
    while page.locator("#video").inner_text() + page.locator("#number").inner_text() == label:
        page.wait_for_timeout(20)


def _seek(page: Page, number: int) -> FrameKey:
    """Go to a frame of the current video and return its key."""
    while (current := int(page.locator("#number").inner_text().split()[1])) != number:
        _press(page, "ArrowRight" if current < number else "ArrowLeft")
    return FrameKey(page.locator("#video").inner_text(), number)


def _click(page: Page, clicks: list[Click]) -> None:
    """Click these places on a frame that the page has fitted into its window, at a person's pace."""
    top = page.evaluate("document.querySelector('#top').getBoundingClientRect().bottom")
    room = page.evaluate("document.querySelector('#bottom').getBoundingClientRect().top") - top
    zoom = min(WINDOW[0] / SIZE[1], room / SIZE[0])
    left, upper = (WINDOW[0] - SIZE[1] * zoom) / 2, top + (room - SIZE[0] * zoom) / 2
    for x, y, class_id in clicks:
        page.keyboard.press(CLASS_KEYS[class_id])
        page.mouse.click(left + (x + 0.5) * zoom, upper + (y + 0.5) * zoom)
        page.wait_for_timeout(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
