"""The frames there are to click: by opaque id, by video, and in the order in which they are offered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from weclick.clicks.budget import spread_order
from weclick.clicks.records import Status, validate_key
from weclick.data.index import Frame, FrameKey, Layout, Split
from weclick.errors import ConfigError, DataError

GOAL: Final = 200
"""Frames to click, unless told otherwise: what people get done in a day or two."""

REACH: Final = 15
"""Frames on each side that the page can play."""


class Place(NamedTuple):
    """A frame and its position among the frames of its video, from 0."""

    frame: Frame
    position: int


def frame_id(root: Path, store: Path, key: FrameKey) -> str:
    """Return what a frame is called outside: it tells nothing of paths, and stays the same when frames are added.

    Two data sets never share one, nor do two click stores: a browser may hold pictures and clicks of what was served at this
    port before.

    Args:
        root: The data set's own place, without links.
        store: The click store's.
        key: The frame.
    """
    name = f"{root}\0{store}\0{key.video}\0{key.number}"
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Catalog:
    """The frames of one split.

    Args:
        layout: The data set.
        store: Where their clicks go.
        split: Whose frames to click.
        goal: How many frames to click; by default 200, or all where there are fewer.

    Raises:
        ConfigError: A goal below 1.
        DataError: The split has no frames, or a video's name is not UTF-8.
    """

    def __init__(self, layout: Layout, store: Path, split: Split = "train", *, goal: int | None = None) -> None:
        if goal is not None and goal < 1:
            raise ConfigError(f"--goal must be at least 1, found {goal}")
        self.root, self.classes, self.store = layout.root, layout.classes, store
        self.videos: dict[str, list[Frame]] = {}
        for frame in sorted(layout.frames(split), key=lambda frame: frame.key):
            self.videos.setdefault(frame.key.video, []).append(frame)
        if not self.videos:
            raise DataError(f"the {split} split of {self.root} has no frames to click; choose another --split")
        for frames in self.videos.values():
            validate_key(frames[0].key)
        home, place = self.root.resolve(), store.resolve()
        self._places = {
            frame_id(home, place, frame.key): Place(frame, position)
            for frames in self.videos.values()
            for position, frame in enumerate(frames)
        }
        self._ids = {place.frame.key: name for name, place in self._places.items()}
        self.offer_first(())
        self.goal = min(goal or GOAL, len(self))

    def offer_first(self, order: Sequence[FrameKey]) -> None:
        """Line the frames up anew: these first, the most urgent one at the head, then the others.

        Any beginning of the others is evenly spread over the videos.

        Raises:
            DataError: A frame is not there.
        """
        missing = [key for key in order if key not in self._ids]
        if missing:
            raise DataError(f"frame {missing[0]} is not among the frames of {self.root} that can be clicked")
        self._queue = [self._ids[key] for key in dict.fromkeys([*order, *spread_order(self._ids)])]
        self._ranks = {name: rank for rank, name in enumerate(self._queue)}

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def place(self, name: str) -> Place | None:
        """Return the frame with this id, None if there is none."""
        return self._places.get(name)

    def name(self, key: FrameKey) -> str:
        """Return the id of a frame."""
        return self._ids[key]

    def later(self, place: Place) -> Iterator[Place]:
        """Yield the frames after one in its video."""
        frames = self.videos[place.frame.key.video]
        return (Place(frames[position], position) for position in range(place.position + 1, len(frames)))

    def around(self, place: Place) -> list[tuple[int, str]]:
        """Return offset in positions and id of the frames near one in its video, itself included."""
        start = max(place.position - REACH, 0)
        near = self.videos[place.frame.key.video][start : place.position + REACH + 1]
        return [(position - place.position, self._ids[frame.key]) for position, frame in enumerate(near, start)]

    def upcoming(self, statuses: Mapping[FrameKey, Status], after: str | None = None) -> Iterator[str]:
        """Yield the frames that are to do, in the order they should be offered.

        First come as many as the goal still lacks, from the head of the queue: whatever else is clicked in between, what is
        clicked by this order stays evenly spread. Within these, and within the rest, ``after`` is where the round begins.

        Args:
            statuses: Of the frames the store knows; all others are to do.
            after: Id of the frame that was worked on last.
        """
        done = sum(status == "done" and key in self._ids for key, status in statuses.items())
        todo = (name for name in self._queue if statuses.get(self._places[name].frame.key, "todo") == "todo")
        yield from self._round(list(islice(todo, max(self.goal - done, 0))), after)
        yield from self._round(list(todo), after)

    def _round(self, names: list[str], after: str | None) -> list[str]:
        rank = -1 if after is None else self._ranks[after]
        return [*(n for n in names if self._ranks[n] > rank), *(n for n in names if self._ranks[n] <= rank)]
