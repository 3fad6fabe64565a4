"""Measure how long ``weclick annotate`` takes to save clicks.

Ten clients save frame after frame, click by click, against a server process. Prints percentiles of the time until a save was
acknowledged, for people who pause between clicks and for programs that do not. Whether clicks are lost when the server is
killed is what ``python -m tests.faults.people`` examines.

    python benchmarks/annotate.py [--clicks 4000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import cv2
import httpx2
import numpy as np

from weclick.annotate.catalog import frame_id
from weclick.clicks import CLICKS_FILE
from weclick.conventions import FrameKey

PEOPLE: Final = 10
PER_FRAME: Final = 20
SIZE: Final = (360, 480)
PAUSE: Final = 0.1
"""Mean seconds between two clicks of a person: several times faster than anybody clicks."""


def write_set(root: Path, frames: int) -> list[FrameKey]:
    """Write a data set of ``frames`` training frames in ten videos, all links to one picture; return the frames' keys."""
    (root / "frames" / "unseen").mkdir(parents=True)
    picture = root / "frames" / "unseen" / "0.jpg"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8))
    keys = [FrameKey(f"v{number % 10}", number) for number in range(frames)]
    for key in keys:
        path = root / "frames" / key.video / f"{key.number}.jpg"
        path.parent.mkdir(exist_ok=True)
        os.link(picture, path)
    (root / "classes.yaml").write_text("[road, car, person]\n", encoding="utf-8")
    (root / "splits.yaml").write_text(
        f"train: {sorted({key.video for key in keys})}\nval: [unseen]\n", encoding="utf-8"
    )
    return keys


async def start(root: Path) -> tuple[Process, str]:
    """Start the server in a process of its own; return it and the URL it prints."""
    options = ["--port", "0", "--open", "false", "--preview", "false"]
    command = [sys.executable, "-m", "weclick", "annotate", str(root), *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    if not line.startswith("click at http"):
        raise SystemExit(f"the server did not start: {line}")
    return process, line.split()[2]


class Person:
    """A client that clicks through its own frames, and measures how long it waits."""

    def __init__(self, number: int, url: str, root: Path, keys: list[FrameKey]) -> None:
        self.random = random.Random(number)
        self.name = f"person-{number:04}"
        self.http = httpx2.AsyncClient(base_url=url, timeout=10)
        self.root = root.resolve()
        self.keys = keys
        self.seconds: list[float] = []

    async def work(self, pause: float) -> None:
        """Click until all frames are done."""
        async with self.http:
            for key in self.keys:
                await self.click_through(key, pause)

    async def click_through(self, key: FrameKey, pause: float) -> None:
        """Click on one frame and save after every click."""
        clicks: list[dict[str, Any]] = []
        version = 0
        for _ in range(PER_FRAME):
            await asyncio.sleep(self.random.uniform(0, 2 * pause))
            x, y = self.random.uniform(-0.5, SIZE[1] - 0.51), self.random.uniform(-0.5, SIZE[0] - 0.51)
            clicks.append({"x": x, "y": y, "class_id": self.random.randrange(3), "seconds": 0.5})
            status = "done" if len(clicks) == PER_FRAME else "todo"
            version = await self.save(key, clicks, version, status)

    async def save(self, key: FrameKey, clicks: list[dict[str, Any]], version: int, status: str) -> int:
        """Save a frame, and return its new version."""
        body = {"client": self.name, "annotator": self.name, "version": version, "status": status}
        body |= {"seconds": 0.5 * len(clicks), "clicks": clicks}
        begin = perf_counter()
        response = await self.http.put(f"/api/frames/{frame_id(self.root, self.root / CLICKS_FILE, key)}", json=body)
        self.seconds.append(perf_counter() - begin)
        if response.status_code != 200:
            raise SystemExit(f"{key}: {response.status_code} {response.text[:200]}")
        return int(response.json()["version"])


async def latency(clicks: int) -> None:
    """Print percentiles of the time a save takes, with and without pauses between clicks."""
    for label, pause in (("people", PAUSE), ("programs", 0.0)):
        with TemporaryDirectory() as folder:
            root = Path(folder) / "set"
            keys = write_set(root, clicks // PER_FRAME)
            process, url = await start(root)
            people = [Person(number, url, root, keys[number::PEOPLE]) for number in range(PEOPLE)]
            begin = perf_counter()
            await asyncio.gather(*(person.work(pause) for person in people))
            rate = clicks / (perf_counter() - begin)
            process.terminate()
            await process.wait()
        times = 1000 * np.array([seconds for person in people for seconds in person.seconds])
        p50, p95, p99 = np.percentile(times, (50, 95, 99))
        print(
            f"{label}: {PEOPLE} at once, {rate:.0f} saves/s: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms",
            flush=True,
        )


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--clicks", type=int, default=4000, help="clicks in all; default: %(default)s")
    asyncio.run(latency(parser.parse_args().clicks))


if __name__ == "__main__":
    main()
