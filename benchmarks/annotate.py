"""Measure how long ``weclick annotate`` takes to save clicks, and whether it loses any when it is killed.

``latency``: ten clients save frame after frame, click by click, against a server process; prints percentiles of the time
until a save was acknowledged, for people who pause between clicks and for programs that do not.

``crash``: ten clients click while the server is repeatedly killed (SIGKILL) and restarted; saves without a response are
sent again. At the end the store must hold exactly what was acknowledged: exit status 1 if a click is lost or doubled.

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


class Server:
    """``weclick annotate`` in a process of its own; a restart keeps the port, as clients go on sending to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = 0
        self.process: Process | None = None

    async def start(self) -> str:
        """Start the server and return the URL it prints."""
        options = ["--port", str(self.port), "--open", "false", "--preview", "false"]
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
        """Kill the server, which gets no chance to finish a save."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()


class Person:
    """A client that clicks through its own frames and records what the server acknowledged."""

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
        """Click on one frame and save after every click."""
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
        """Save a frame, retrying until the server acknowledges it; return the frame's new version."""
        body = {"client": self.name, "annotator": self.name, "version": version, "status": status}
        body |= {"seconds": 0.5 * len(clicks), "clicks": clicks}
        while True:
            begin = perf_counter()
            try:
                response = await self.http.put(
                    f"/api/frames/{frame_id(self.root, self.root / CLICKS_FILE, key)}", json=body
                )
            except httpx2.TransportError:
                self.resent += 1
                await asyncio.sleep(0.02)
                continue
            self.seconds.append(perf_counter() - begin)
            if response.status_code != 200:
                raise SystemExit(f"{key}: {response.status_code} {response.text[:200]}")
            return int(response.json()["version"])


def make_people(url: str, root: Path, keys: list[FrameKey]) -> list[Person]:
    """Return the clients, each with its share of the frames."""
    return [Person(number, url, root, keys[number::PEOPLE]) for number in range(PEOPLE)]


async def latency(clicks: int) -> None:
    """Print percentiles of the time a save takes, with and without pauses between clicks."""
    for label, pause in (("people", PAUSE), ("programs", 0.0)):
        with TemporaryDirectory() as folder:
            root = Path(folder) / "set"
            keys = write_set(root, clicks // PER_FRAME)
            server = Server(root)
            people = make_people(await server.start(), root, keys)
            begin = perf_counter()
            await asyncio.gather(*(person.work(pause) for person in people))
            rate = clicks / (perf_counter() - begin)
            await server.kill()
        times = 1000 * np.array([seconds for person in people for seconds in person.seconds])
        p50, p95, p99 = np.percentile(times, (50, 95, 99))
        print(
            f"{label}: {PEOPLE} at once, {rate:.0f} saves/s: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms",
            flush=True,
        )


async def crash(clicks: int, kills: int) -> bool:
    """Kill and restart the server repeatedly; return whether the store holds exactly what was acknowledged."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        keys = write_set(root, clicks // PER_FRAME)
        server = Server(root)
        people = make_people(await server.start(), root, keys)
        work = [asyncio.create_task(person.work(0.0)) for person in people]
        for number in range(1, kills + 1):
            due = number * clicks // (kills + 1)
            while sum(len(person.seconds) for person in people) < due and not all(task.done() for task in work):
                await asyncio.sleep(0.001)
            await asyncio.sleep(random.uniform(0, 0.02))  # so that kills hit every phase of a save
            await server.kill()
            await server.start()
        await asyncio.gather(*work)
        await server.kill()
        return report(people, root, kills)


def report(people: list[Person], root: Path, kills: int) -> bool:
    """Compare the store with what was acknowledged, print the result and return whether both are equal."""
    acknowledged = {
        key: [Click(sent["x"], sent["y"], sent["class_id"]) for sent in clicks]
        for person in people
        for key, clicks in person.stored.items()
    }
    with ClickStore(root / CLICKS_FILE, ClassSet.read(root / "classes.yaml")) as store:
        stored = {key: store.clicks(key) for key in store.frames()}
        versions = {frame.version for frame in store.frames().values()}
    lost = sum(click not in stored.get(key, []) for key, clicks in acknowledged.items() for click in clicks)
    doubled = sum(map(len, stored.values())) - sum(map(len, acknowledged.values())) + lost
    saves, resent = sum(len(person.seconds) for person in people), sum(person.resent for person in people)
    print(
        f"{saves} acknowledged saves, {kills} kills, {resent} requests without a response: {lost} clicks lost, "
        f"{doubled} doubled"
    )
    # a version counts a frame's saves: a higher one means that a save was carried out twice
    return stored == acknowledged and versions == {PER_FRAME}


def main() -> int:
    """Parse the command line and run one benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("benchmark", choices=("latency", "crash"))
    parser.add_argument("--clicks", type=int, help="clicks in all; default: 4000 for latency, 20000 for crash")
    parser.add_argument("--kills", type=int, default=40, help="how often crash kills the server; default: %(default)s")
    options = parser.parse_args()
    if options.benchmark == "latency":
        asyncio.run(latency(options.clicks or 4000))
        return 0
    return 0 if asyncio.run(crash(options.clicks or 20_000, options.kills)) else 1


if __name__ == "__main__":
    sys.exit(main())
