"""Learning from a part of the clicks: which frames, and which clicks of a frame.

Every choice is the beginning of one fixed order, so that a smaller budget's frames and clicks are among a larger one's.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from weclick.clicks.records import Click
from weclick.conventions import FrameKey


def spread_frames(keys: Iterable[FrameKey], share: float) -> list[FrameKey]:
    """Choose a share of the frames, evenly spread over all videos in a row.

    Frames are lined up by video and number and taken in the order of their bit-reversed positions: every second one comes
    after every fourth one, and so on. Distances of chosen frames, counted in frames given, are some power of two or its
    double. All videos make one line, as a share of one frame per video would be all of it or nothing.

    Args:
        keys: Frames to choose from, in any order, each once.
        share: Above 0, at most 1; at least one frame is chosen.

    Returns:
        Chosen frames, by video and number.

    Example:
        >>> [key.number for key in spread_frames([FrameKey("a", number) for number in range(8)], 0.5)]
        [0, 2, 4, 6]
    """
    order = spread_order(keys)
    return sorted(order[: max(1, round(share * len(order)))])


def spread_order(keys: Iterable[FrameKey]) -> list[FrameKey]:
    """Return all frames in the order of :func:`spread_frames`: any beginning of it is evenly spread over each video."""
    line = sorted(keys)
    bits = max(len(line) - 1, 0).bit_length()
    order = sorted(range(len(line)), key=lambda position: f"{position:0{bits}b}"[::-1])
    return [line[position] for position in order]


def some_clicks(clicks: Sequence[Click], count: int, *, seed: int, key: FrameKey) -> list[Click]:
    """Choose at most ``count`` clicks of a frame, classes in turn: each keeps one before any keeps two.

    Args:
        clicks: Of one frame.
        count: At least 1.
        seed: With the frame, decides on the order of classes and of the clicks within each.
        key: The frame.

    Returns:
        Chosen clicks, in the order given.
    """
    rng = np.random.default_rng([seed, zlib.crc32(key.video.encode()), key.number])
    turns: list[tuple[int, int, int]] = []
    for place, class_id in enumerate(rng.permutation(sorted({click.class_id for click in clicks}))):
        own = [position for position, click in enumerate(clicks) if click.class_id == class_id]
        turns += [(turn, place, position) for turn, position in enumerate(rng.permutation(own).tolist())]
    return [clicks[position] for position in sorted(position for _, _, position in sorted(turns)[:count])]


def within_budget(
    clicks: Mapping[FrameKey, Sequence[Click]], *, share: float, count: int | None, seed: int
) -> dict[FrameKey, Sequence[Click]]:
    """Return the clicks of a share of the clicked frames, of each at most ``count``; None keeps all.

    See :func:`spread_frames` and :func:`some_clicks` for what is chosen.
    """
    chosen = spread_frames((key for key, found in clicks.items() if found), share)
    if count is None:
        return {key: clicks[key] for key in chosen}
    return {key: some_clicks(clicks[key], count, seed=seed, key=key) for key in chosen}
