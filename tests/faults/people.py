"""Let people click while the server is killed and strangers keep its connections half open; compare store and answers.

Each person saves as the page does: the whole frame with the version it is based on; what was not answered is sent again
unchanged before anything newer. They add points, undo, redo, change classes, remove, finish and skip frames, come back to
frames of others, and try frames that others have leased.

python -m tests.faults.people --people 10 --clicks 20000 --kills 20
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weclick.annotate.catalog import Catalog
from weclick.clicks import CLICKS_FILE, ClickStore
from weclick.data.layouts import open_layout
from weclick.synthetic import write_synthetic

from .ledger import Findings, Ledger, State
from .server import Server, Strangers

SIZE = (32, 64)
FRAMES, PER_FRAME = 25, 20
CLASSES = 8
ACTIONS = {"add": 80, "undo": 7, "redo": 4, "change": 5, "remove": 4}
UNHEARD = 0.02
"""Share of the requests whose sender hangs up before the answer."""
STARTING = 0.2
"""Share of the kills after which the next server is killed while it starts."""
START_SECONDS = 0.6
PATIENCE = 60
"""Seconds without an answer after which a person gives up, and the whole ends."""


class Work:
    """The points of a frame with undo and redo, as the page keeps them (``page/points.js``)."""

    def __init__(self, frame: dict[str, Any]) -> None:
        self.id, self.version, self.seconds = frame["id"], frame["version"], frame["seconds"]
        self.points: list[dict[str, Any]] = frame["clicks"]
        self.past: list[list[dict[str, Any]]] = []
        self.future: list[list[dict[str, Any]]] = []
        self.stored = State.of(frame)

    def act(self, chance: random.Random) -> None:
        """Do one thing that a person may do with the points."""
        (action,) = chance.choices(list(ACTIONS), list(ACTIONS.values()))
        if action == "undo" and self.past:
            self.future.append(self.points)
            self.points = self.past.pop()
        elif action == "redo" and self.future:
            self.past.append(self.points)
            self.points = self.future.pop()
        else:
            self.past.append(self.points)
            self.future = []
            self.points = self._edited(action, chance)

    def _edited(self, action: str, chance: random.Random) -> list[dict[str, Any]]:
        if action in ("change", "remove") and self.points:
            at = chance.randrange(len(self.points))
            changed = [{**self.points[at], "class_id": chance.randrange(CLASSES)}] if action == "change" else []
            return [*self.points[:at], *changed, *self.points[at + 1 :]]
        x, y = chance.uniform(-0.5, SIZE[1] - 0.51), chance.uniform(-0.5, SIZE[0] - 0.51)
        return [*self.points, {"x": x, "y": y, "class_id": chance.randrange(CLASSES), "seconds": 0.5}]


class Person:
    """Somebody at the page, until enough clicks are acknowledged.

    Args:
        number: Whose.
        server: The server; a person gets its new address after a restart.
        ledger: Notes of all people.
        goal: Acknowledged clicks, of all people, after which to stop.
    """

    def __init__(self, number: int, server: Server, ledger: Ledger, goal: int) -> None:
        self.random = random.Random(number)
        self.sender = {"client": f"client-of-person-{number}", "annotator": f"person {number}"}
        self.server, self.ledger, self.goal = server, ledger, goal
        self.http = http.client.HTTPConnection("localhost", server.port, timeout=10)
        self.after: str | None = None
        self.seconds: list[float] = []
        self.unanswered = self.conflicts = 0

    @property
    def ended(self) -> bool:
        """Whether enough is clicked."""
        return len(self.ledger.acknowledged) >= self.goal

    def run(self) -> None:
        """Click frame after frame."""
        while not self.ended:
            frame = self.visit() if self.random.random() < 0.25 else self.next()
            if frame is not None:
                self.work_on(Work(frame))
        self.http.close()

    def next(self) -> dict[str, Any] | None:
        """Return the next frame to do, leased; None if there is none."""
        status, frame = self.ask("POST", "next", {**self.sender, "after": self.after})
        assert status in (200, 204), (status, frame)
        return self.answered(frame) if status == 200 else self.visit()

    def visit(self) -> dict[str, Any] | None:
        """Return a frame that somebody has worked on; sometimes also one that somebody else has leased."""
        known = sorted(self.ledger.answered.copy())
        if not known:
            return None
        frame_id = self.random.choice(known)
        status, refusal = self.ask("PUT", f"frames/{frame_id}/lease", self.sender)
        if status == 409:
            self.conflicts += 1
            return self.answered(refusal["frame"]) if self.random.random() < 0.2 else None
        assert status == 204, (status, refusal)
        status, frame = self.ask("GET", f"frames/{frame_id}")
        assert status == 200, (status, frame)
        return self.answered(frame)

    def answered(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Note a frame that the server has sent."""
        self.ledger.note_answer(frame)
        return frame

    def work_on(self, work: Work) -> None:
        """Click on a frame; leave it if somebody else has changed or leased it."""
        self.after = work.id
        for _ in range(self.random.randint(PER_FRAME // 2, 2 * PER_FRAME)):
            for _ in range(self.random.choice((1, 1, 1, 2, 3))):  # several things while the last save was on its way
                work.act(self.random)
            if not self.save(work, "todo") or self.ended:
                return
            if self.random.random() < 0.05 and self.ask("PUT", f"frames/{work.id}/lease", self.sender)[0] == 409:
                return
        self.save(work, self.random.choices(("done", "skipped"), (9, 1))[0])

    def save(self, work: Work, status: str) -> bool:
        """Save until it is answered, and return whether it is stored."""
        work.seconds += 0.5
        content = {"version": work.version, "status": status, "seconds": work.seconds, "clicks": work.points}
        state = State.of(content)
        self.ledger.note_sent(work.id, work.stored, state)
        code, frame = self.ask("PUT", f"frames/{work.id}", {**self.sender, **content, "accept": False, "answers": None})
        if code == 409:  # the stored version is taken
            self.conflicts += 1
            self.answered(frame["frame"])
            return False
        assert code == 200, (code, frame)
        self.ledger.note_acknowledged(frame, state)
        work.version, work.stored = frame["version"], state
        return True

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Send a request until it is answered; return status and content of the answer."""
        begun = time.monotonic()
        while time.monotonic() < begun + PATIENCE and self.server.up.wait(PATIENCE):
            answer = self._try(method, path, body)
            if answer is None:
                self.unanswered += 1
                self.http.close()
            elif answer[0] != 401:
                self.seconds.append(time.monotonic() - begun)
                return answer
        raise AssertionError(f"{method} {path} was not answered for {PATIENCE} seconds")

    def _try(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any] | None:
        headers = {"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"}
        try:
            self.http.request(method, f"/api/{path}", body and json.dumps(body), headers)
            self.ledger.note_request()
            if self.random.random() < UNHEARD:
                return None
            response = self.http.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return None
        return response.status, json.loads(text) if text else None


class Figures(NamedTuple):
    """What happened: what the comparison found, the people, and numbers of kills and of half-open connections."""

    findings: Findings
    crowd: list[Person]
    kills: int
    killed_starting: int
    half_open: int
    most_half_open: int

    def __str__(self) -> str:
        found, seconds = self.findings, [second for person in self.crowd for second in person.seconds]
        p50, p95 = 1000 * np.percentile(seconds, (50, 95))
        return (
            f"{found.acknowledged} clicks acknowledged in {len(seconds)} answers to {len(self.crowd)} people; "
            f"{self.kills} kills, and {self.killed_starting} while starting; "
            f"{sum(person.unanswered for person in self.crowd)} requests without an answer, "
            f"{sum(person.conflicts for person in self.crowd)} conflicts, "
            f"{self.half_open} half-open connections, {self.most_half_open} at once\n"
            f"lost: {found.lost}, doubled: {found.doubled}, never sent: {found.unsent}, "
            f"otherwise wrong: {len(found.others)}\n"
            f"time to an answer: p50 {p50:.1f} ms, p95 {p95:.1f} ms, at most {max(seconds):.2f} s, restarts included"
        )


def click_with_kills(folder: Path, *, people: int, clicks: int, kills: int, strangers: int, seed: int = 0) -> Figures:
    """Let people click while the server is killed, and compare the store with the answers.

    Args:
        folder: An empty folder.
        people: Number of people, each in a thread.
        clicks: Acknowledged clicks after which they stop.
        kills: Number of kills.
        strangers: Number of half-open connections.
        seed: Of the moments of the kills.
    """
    root, chance = folder / "set", random.Random(seed)
    videos, frames = clicks // (FRAMES * PER_FRAME) + 1, min(FRAMES, clicks // PER_FRAME)
    write_synthetic(root, train=videos, val=1, frames=frames, target=2, size=SIZE)
    server, ledger = Server(root, folder / "log"), Ledger()
    crowd = [Person(number, server, ledger, clicks) for number in range(people)]
    hostile = Strangers(server.port, strangers)
    starting = 0
    with server, hostile, ThreadPoolExecutor(people) as pool:
        tasks = [pool.submit(person.run) for person in crowd]
        for due in sorted(chance.choices(range(clicks), k=kills)):
            starting += kill(server, ledger, due, chance, lambda: all(task.done() for task in tasks))
        for task in tasks:
            task.result()
    return Figures(ledger.check(stored_states(root)), crowd, kills, starting, hostile.opened, hostile.most)


def kill(server: Server, ledger: Ledger, due: int, chance: random.Random, ended: Callable[[], bool]) -> bool:
    """Kill the server some requests after ``due`` clicks were acknowledged, and start it; return whether that was killed too."""
    ledger.wait(lambda: len(ledger.acknowledged) >= due, ended)
    requests = ledger.requests + chance.randrange(2 * PER_FRAME)
    ledger.wait(lambda: ledger.requests >= requests, ended)
    server.kill()
    starting = chance.random() < STARTING
    if starting:
        server.kill_starting(chance.uniform(0, START_SECONDS))
    server.start()
    return starting


def stored_states(root: Path) -> dict[str, tuple[int, State]]:
    """Return version and state of each frame in the store, by the frame's id."""
    layout, path = open_layout("auto", root), root / CLICKS_FILE
    catalog = Catalog(layout, path)
    with ClickStore(path, layout.classes, readonly=True) as store:
        return {
            catalog.id_of(key): (record.version, State(record.status, tuple(store.clicks(key))))
            for key, record in store.frames().items()
        }


def main() -> int:
    """Click, kill, compare and print; the exit status is 1 if anything differs from the answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--clicks", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--strangers", type=int, default=600, help="half-open connections; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    with tempfile.TemporaryDirectory() as folder:
        figures = click_with_kills(Path(folder), **vars(parser.parse_args()))
    print(*figures.findings.others, sep="\n")
    print(figures)
    return int(not figures.findings.clean)


if __name__ == "__main__":
    sys.exit(main())
