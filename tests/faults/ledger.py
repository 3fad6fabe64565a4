"""What people sent to the server of ``weclick annotate``, what it answered, and how the store differs from that."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Place = tuple[float, float]
"""Position of a click, which no other click has."""


class State(NamedTuple):
    """What a frame holds: its status, and position and class of each click."""

    status: str
    clicks: tuple[tuple[float, float, int], ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> State:
        """Return the state in a request or response of the server."""
        clicks = tuple((click["x"], click["y"], click["class_id"]) for click in content["clicks"])
        return cls(content["status"], clicks)

    @property
    def places(self) -> set[Place]:
        """Positions of the clicks."""
        return {(x, y) for x, y, _ in self.clicks}


class Ledger:
    """Notes of all people, which several threads write."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.requests = 0
        self.answered: dict[str, dict[int, State]] = defaultdict(dict)
        self.sent: dict[str, set[State]] = defaultdict(set)
        self.acknowledged: set[Place] = set()
        self.dropped: set[Place] = set()
        self.contradictions: list[str] = []

    def note_request(self) -> None:
        """Count a request that is sent now."""
        with self.changed:
            self.requests += 1
            self.changed.notify_all()

    def note_sent(self, frame: str, before: State, content: State) -> None:
        """Note a save that is sent now: what its sender had read before, and what is to be stored."""
        with self.changed:
            self.sent[frame].add(content)
            self.dropped |= before.places - content.places

    def note_answer(self, response: Mapping[str, Any]) -> State:
        """Note a frame as the server has answered it, and return its state."""
        frame, version, state = response["id"], response["version"], State.of(response)
        with self.changed:
            known = self.answered[frame].setdefault(version, state)
            if known != state:
                self.contradictions.append(f"{frame} version {version} was answered as {known} and as {state}")
            if version and state not in self.sent[frame]:
                self.contradictions.append(f"{frame} version {version} was answered as {state}, which nobody sent")
        return state

    def note_acknowledged(self, response: Mapping[str, Any], content: State) -> None:
        """Note that the server says a save is stored."""
        state = self.note_answer(response)
        with self.changed:
            if state != content:
                self.contradictions.append(f"{response['id']}: {content} was acknowledged with {state}")
            self.acknowledged |= content.places
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool], ended: Callable[[], bool]) -> None:
        """Wait until a condition on the notes holds, or everybody has ended."""
        with self.changed:
            while not condition() and not ended():
                self.changed.wait(1)

    def check(self, stored: Mapping[str, tuple[int, State]]) -> Findings:
        """Compare with the version and state of each frame in the store."""
        counts = Counter((x, y) for _, state in stored.values() for x, y, _ in state.clicks)
        sent = {place for states in self.sent.values() for state in states for place in state.places}
        last = {frame: max(versions.items()) for frame, versions in self.answered.items() if max(versions)}
        due = Counter(place for _, state in last.values() for place in state.places)
        others = list(self.contradictions)
        for frame in sorted(last.keys() | stored.keys()):
            if last.get(frame) != stored.get(frame):
                others.append(f"{frame} was last answered as {last.get(frame)}, and is {stored.get(frame)}")
            if missing := set(range(1, stored.get(frame, (0,))[0] + 1)) - self.answered[frame].keys():
                others.append(f"{frame}: no answer had the versions {sorted(missing)}")
        # a click that was never to be removed must be there, whatever the last answer was
        lost = ((self.acknowledged - self.dropped) | due.keys()) - counts.keys()
        doubled = sum(count - 1 for count in counts.values())
        return Findings(len(self.acknowledged), len(lost), doubled, len(counts.keys() - sent), others)


class Findings(NamedTuple):
    """Acknowledged clicks, those of them that are lost, surplus ones, ones nobody sent, and other differences."""

    acknowledged: int
    lost: int
    doubled: int
    unsent: int
    others: list[str]

    @property
    def clean(self) -> bool:
        """Whether everything is as it was answered."""
        return not (self.lost or self.doubled or self.unsent or self.others)
