"""The frames to click: by opaque id, by video, and in the order in which they are offered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple

from weclick.clicks.budget import spread_order
from weclick.clicks.records import Status, validate_key
from weclick.data.index import Frame, FrameKey, Layout, Split
from weclick.errors import ConfigError, DataError

SPACING: Final = 10
"""By default one frame is clicked of so many: their neighbours look alike, and the memory learns from them anyway."""

LEAST: Final = 16
MOST: Final = 200
"""Bounds of the default number of frames to click; 200 are about one or two days of work."""

ROUND: Final = 20
"""Number of frames that are offered video by video before the next round, which lies between them."""

REACH: Final = 15
"""Number of frames before and after a frame that the page can play."""


class Entry(NamedTuple):
    """A frame and its position among the frames of its video, from 0."""

    frame: Frame
    position: int


def frame_id(root: Path, store: Path, key: FrameKey) -> str:
    """Return the id of a frame in the API: a hash that reveals no path and does not change when frames are added.

    Args:
        root: Resolved root of the data set.
        store: Resolved path of the click store.
        key: The frame.
    """
    # Ids must differ between data sets and between stores: the browser keeps pictures and unsaved clicks by id, and
    # another data set may have been served at this port before.
    name = f"{root}\0{store}\0{key.video}\0{key.number}"
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _default_goal(videos: Iterable[Sequence[Frame]]) -> int:
    span = sum(frames[-1].key.number - frames[0].key.number + 1 for frames in videos)
    return min(max(span // SPACING, LEAST), MOST)


def _in_rounds(order: Sequence[FrameKey]) -> Iterator[FrameKey]:
    """Yield an order in rounds, each by video and time: someone who clicks sees one scene after the other."""
    for start in range(0, len(order), ROUND):
        yield from sorted(order[start : start + ROUND])


class Catalog:
    """The frames of one split.

    Args:
        layout: The data set.
        store: Path of the click store.
        split: The split whose frames to click.
        goal: Number of frames to click; by default one of ten, but 16 to 200, or all if there are fewer.

    Raises:
        ConfigError: The goal is below 1.
        DataError: The split has no frames, or the name of a video is not UTF-8.
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
        resolved = self.root.resolve(), store.resolve()
        self._entries = {
            frame_id(*resolved, frame.key): Entry(frame, position)
            for frames in self.videos.values()
            for position, frame in enumerate(frames)
        }
        self._ids = {entry.frame.key: name for name, entry in self._entries.items()}
        self.goal = min(goal or _default_goal(self.videos.values()), len(self))
        self.offer_first(())

    def offer_first(self, order: Sequence[FrameKey]) -> None:
        """Offer these frames first, in this order, then the others in rounds, each evenly spread and one video after the other.

        Raises:
            DataError: A frame is not in the catalog.
        """
        missing = [key for key in order if key not in self._ids]
        if missing:
            raise DataError(f"frame {missing[0]} is not among the frames of {self.root} that can be clicked")
        spread = spread_order(self._ids)
        rest = chain(_in_rounds(spread[: self.goal]), _in_rounds(spread[self.goal :]))
        self._queue = [self._ids[key] for key in dict.fromkeys(chain(order, rest))]
        self._ranks = {name: rank for rank, name in enumerate(self._queue)}

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def entry(self, name: str) -> Entry | None:
        """Return the frame with this id, None if there is none."""
        return self._entries.get(name)

    def id_of(self, key: FrameKey) -> str:
        """Return the id of a frame."""
        return self._ids[key]

    def later(self, entry: Entry) -> Iterator[Entry]:
        """Yield the frames after this one in its video."""
        frames = self.videos[entry.frame.key.video]
        return (Entry(frames[position], position) for position in range(entry.position + 1, len(frames)))

    def around(self, entry: Entry) -> list[tuple[int, str]]:
        """Return the offset (in positions) and id of the frames near this one in its video, including itself."""
        start = max(entry.position - REACH, 0)
        near = self.videos[entry.frame.key.video][start : entry.position + REACH + 1]
        return [(position - entry.position, self._ids[frame.key]) for position, frame in enumerate(near, start)]

    def upcoming(self, statuses: Mapping[FrameKey, Status], after: str | None = None) -> Iterator[str]:
        """Yield the ids of all frames with the status "todo", in the order in which to offer them.

        Args:
            statuses: Status of the stored frames; all others are "todo".
            after: Id of the last frame that was worked on; the first frames come after it in the queue.
        """
        done = sum(status == "done" and key in self._ids for key, status in statuses.items())
        todo = (name for name in self._queue if statuses.get(self._entries[name].frame.key, "todo") == "todo")
        # First as many frames as are missing to reach the goal, from the start of the queue, even if the annotator has
        # jumped to other frames: the frames up to the goal are evenly spread.
        yield from self._rotate(list(islice(todo, max(self.goal - done, 0))), after)
        yield from self._rotate(list(todo), after)

    def _rotate(self, names: list[str], after: str | None) -> list[str]:
        rank = -1 if after is None else self._ranks[after]
        return [*(n for n in names if self._ranks[n] > rank), *(n for n in names if self._ranks[n] <= rank)]
