"""Is the server of ``weclick annotate`` quick, and does it keep its word?

``latency``: ten people save frame after frame, click by click, against a server process; prints percentiles of the time
until a save was acknowledged, for people who pause between clicks and for programs that do not.

``crash``: ten people click while the server is killed (SIGKILL) and started again and again; what had no answer is sent
again. At the end the store must hold what was acknowledged: exit status 1 if anything is lost or doubled.

    python benchmarks/annotate.py latency [--clicks 4000]
    python benchmarks/annotate.py crash [--clicks 20000] [--kills 40]
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
from weclick.classes import ClassSet
from weclick.clicks import CLICKS_FILE, Click, ClickStore
from weclick.conventions import FrameKey

PEOPLE: Final = 10
PER_FRAME: Final = 20
SIZE: Final = (360, 480)
PAUSE: Final = 0.1
"""Mean seconds between two clicks of a person: several times faster than anybody clicks."""


def write_set(root: Path, frames: int) -> list[FrameKey]:
    """Make a data set of so many frames in ten videos, all for training; they share one picture."""
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


class Server:
    """``weclick annotate`` in a process of its own; started again, it has the same port."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = 0
        self.process: Process | None = None

    async def start(self) -> str:
        """Start it; return its URL once it prints it."""
        options = ["--port", str(self.port), "--open", "false"]
        command = [sys.executable, "-m", "weclick", "annotate", str(self.root), *options]
        self.process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        if not line.startswith("click at http"):
            raise SystemExit(f"the server did not start: {line}")
        url = line.split()[2]
        self.port = int(url.rstrip("/").rpartition(":")[2])
        return url

    async def kill(self) -> None:
        """End it without a warning."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()


class Person:
    """Clicks through frames of its own, and knows what was acknowledged."""

    def __init__(self, number: int, url: str, root: Path, keys: list[FrameKey]) -> None:
        self.random = random.Random(number)
        self.name = f"person-{number:04}"
        self.http = httpx2.AsyncClient(base_url=url, timeout=10)
        self.root = root.resolve()
        self.keys = keys
        self.stored: dict[FrameKey, list[dict[str, Any]]] = {}
        self.seconds: list[float] = []
        self.resent = 0

    async def work(self, pause: float) -> None:
        """Click until all frames are done."""
        async with self.http:
            for key in self.keys:
                await self.click_through(key, pause)

    async def click_through(self, key: FrameKey, pause: float) -> None:
        """Click on one frame, and save after every click."""
        clicks: list[dict[str, Any]] = []
        version = 0
        for _ in range(PER_FRAME):
            await asyncio.sleep(self.random.uniform(0, 2 * pause))
            x, y = self.random.uniform(-0.5, SIZE[1] - 0.51), self.random.uniform(-0.5, SIZE[0] - 0.51)
            clicks.append({"x": x, "y": y, "class_id": self.random.randrange(3), "seconds": 0.5})
            status = "done" if len(clicks) == PER_FRAME else "todo"
            version = await self.save(key, clicks, version, status)
            self.stored[key] = list(clicks)

    async def save(self, key: FrameKey, clicks: list[dict[str, Any]], version: int, status: str) -> int:
        """Save a frame, again and again until it is acknowledged; return its version."""
        body = {"client": self.name, "annotator": self.name, "version": version, "status": status}
        body |= {"seconds": 0.5 * len(clicks), "clicks": clicks}
        while True:
            begin = perf_counter()
            try:
                answer = await self.http.put(
                    f"/api/frames/{frame_id(self.root, self.root / CLICKS_FILE, key)}", json=body
                )
            except httpx2.TransportError:
                self.resent += 1
                await asyncio.sleep(0.02)
                continue
            self.seconds.append(perf_counter() - begin)
            if answer.status_code != 200:
                raise SystemExit(f"{key}: {answer.status_code} {answer.text[:200]}")
            return int(answer.json()["version"])


def people(url: str, root: Path, keys: list[FrameKey]) -> list[Person]:
    """Share the frames among people."""
    return [Person(number, url, root, keys[number::PEOPLE]) for number in range(PEOPLE)]


async def latency(clicks: int) -> None:
    """Measure how long a save takes."""
    for label, pause in (("people", PAUSE), ("programs", 0.0)):
        with TemporaryDirectory() as folder:
            root = Path(folder) / "set"
            keys = write_set(root, clicks // PER_FRAME)
            server = Server(root)
            group = people(await server.start(), root, keys)
            begin = perf_counter()
            await asyncio.gather(*(person.work(pause) for person in group))
            rate = clicks / (perf_counter() - begin)
            await server.kill()
        times = 1000 * np.array([seconds for person in group for seconds in person.seconds])
        p50, p95, p99 = np.percentile(times, (50, 95, 99))
        print(
            f"{label}: {PEOPLE} at once, {rate:.0f} saves/s: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms",
            flush=True,
        )


async def crash(clicks: int, kills: int) -> bool:
    """Kill the server again and again; tell whether the store holds what was acknowledged."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        keys = write_set(root, clicks // PER_FRAME)
        server = Server(root)
        group = people(await server.start(), root, keys)
        work = [asyncio.create_task(person.work(0.0)) for person in group]
        for number in range(1, kills + 1):
            due = number * clicks // (kills + 1)
            while sum(len(person.seconds) for person in group) < due and not all(task.done() for task in work):
                await asyncio.sleep(0.001)
            await asyncio.sleep(random.uniform(0, 0.02))  # at any moment of a save
            await server.kill()
            await server.start()
        await asyncio.gather(*work)
        await server.kill()
        return report(group, root, kills)


def report(group: list[Person], root: Path, kills: int) -> bool:
    """Compare the store with what was acknowledged, and print the outcome."""
    wanted = {key: clicks for person in group for key, clicks in person.stored.items()}
    with ClickStore(root / "clicks.sqlite", ClassSet.read(root / "classes.yaml")) as store:
        found = {key: store.clicks(key) for key in store.frames()}
        versions = {frame.version for frame in store.frames().values()}
    lost = sum(_click(one) not in found.get(key, []) for key, clicks in wanted.items() for one in clicks)
    more = sum(map(len, found.values())) - sum(map(len, wanted.values())) + lost
    same = found == {key: [_click(one) for one in clicks] for key, clicks in wanted.items()}
    acknowledged, resent = sum(len(p.seconds) for p in group), sum(p.resent for p in group)
    print(
        f"{acknowledged} acknowledged clicks, {kills} kills, {resent} tries without an answer: {lost} lost, {more} doubled"
    )
    return same and versions == {PER_FRAME}  # every save was carried out once


def _click(one: dict[str, Any]) -> Click:
    return Click(one["x"], one["y"], one["class_id"])


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("what", choices=("latency", "crash"))
    parser.add_argument("--clicks", type=int, help="clicks in all; default: 4000 and 20000")
    parser.add_argument("--kills", type=int, default=40)
    chosen = parser.parse_args()
    if chosen.what == "latency":
        asyncio.run(latency(chosen.clicks or 4000))
        return 0
    return 0 if asyncio.run(crash(chosen.clicks or 20_000, chosen.kills)) else 1


if __name__ == "__main__":
    sys.exit(main())
