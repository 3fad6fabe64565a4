"""Select a part of the clicks for training: which frames, and which clicks of a frame; and frames to hold out from it.

Frames and clicks have one fixed order, and a budget takes the first ones. A larger budget therefore contains every
smaller one, which makes results comparable.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

import numpy as np

from weclick.clicks.records import Click
from weclick.conventions import FrameKey

LEAST_TO_HOLD_OUT: Final = 8
"""Clicked frames from which on some are held out; fewer are all needed for training."""
SEVERAL_VIDEOS: Final = 4
"""Videos from which on whole ones are held out."""


def spread_frames(keys: Iterable[FrameKey], share: float) -> list[FrameKey]:
    """Select a share of the frames, evenly spread over all videos.

    Frames are sorted by video and number and taken in the order of their bit-reversed positions (van der Corput
    sequence). The distances between selected frames, counted in frames of ``keys``, take at most two values: a power of
    two and its double. All videos share one sequence; selecting within each video would take all or nothing of a video
    with a single frame.

    Args:
        keys: Frames to select from, in any order, each once.
        share: Above 0, at most 1; at least one frame is selected.

    Returns:
        Selected frames, sorted by video and number.

    Example:
        >>> [key.number for key in spread_frames([FrameKey("a", number) for number in range(8)], 0.5)]
        [0, 2, 4, 6]
    """
    order = spread_order(keys)
    return sorted(order[: max(1, round(share * len(order)))])


def spread_order(keys: Iterable[FrameKey]) -> list[FrameKey]:
    """Return all frames in the order of :func:`spread_frames`: the first n are evenly spread, for every n."""
    frames = sorted(keys)
    bits = max(len(frames) - 1, 0).bit_length()
    order = sorted(range(len(frames)), key=lambda position: f"{position:0{bits}b}"[::-1])
    return [frames[position] for position in order]


def limit_clicks(clicks: Sequence[Click], count: int, *, seed: int, key: FrameKey) -> list[Click]:
    """Select at most ``count`` clicks of a frame. Classes take turns: each gets one click before any gets two.

    Args:
        clicks: Clicks of one frame.
        count: At least 1.
        seed: Together with ``key``, determines the order of classes and of the clicks of each class.
        key: The frame.

    Returns:
        Selected clicks, in their original order.
    """
    # crc32, as Python's hash of a string differs between processes
    rng = np.random.default_rng([seed, zlib.crc32(key.video.encode()), key.number])
    turns: list[tuple[int, int, int]] = []  # (turn, rank of the class in a turn, position of the click)
    for rank, class_id in enumerate(rng.permutation(sorted({click.class_id for click in clicks}))):
        own = [position for position, click in enumerate(clicks) if click.class_id == class_id]
        turns += [(turn, rank, position) for turn, position in enumerate(rng.permutation(own).tolist())]
    return [clicks[position] for position in sorted(position for _, _, position in sorted(turns)[:count])]


def within_budget(
    clicks: Mapping[FrameKey, Sequence[Click]], *, share: float, count: int | None, seed: int
) -> dict[FrameKey, Sequence[Click]]:
    """Select a share of the clicked frames, and at most ``count`` clicks of each (None: all).

    See :func:`spread_frames` and :func:`limit_clicks` for the selection.
    """
    selected = spread_frames((key for key, own in clicks.items() if own), share)
    if count is None:
        return {key: clicks[key] for key in selected}
    return {key: limit_clicks(clicks[key], count, seed=seed, key=key) for key in selected}


def frames_to_hold_out(keys: Iterable[FrameKey], share: float) -> list[FrameKey]:
    """Select the frames to measure with: whole videos or the end of one, as frames between trained ones look like them.

    Of at least ``SEVERAL_VIDEOS`` videos it is the share of them whose frames come closest to that share of all frames. Of
    fewer videos, or where that would be too few or too many frames (under half of the share, or over it and over a third of
    all, or over half of all), it is the last frames of the video with the most frames, at most half of them.

    Args:
        keys: Frames to select from, in any order, each once.
        share: From 0 to 1.

    Returns:
        Selected frames, sorted; none of fewer than ``LEAST_TO_HOLD_OUT`` frames.

    Example:
        >>> [key.number for key in frames_to_hold_out([FrameKey("a", number) for number in range(20)], 0.1)]
        [18, 19]
    """
    frames = sorted(keys)
    if not share or len(frames) < LEAST_TO_HOLD_OUT:
        return []
    wanted = max(1, round(share * len(frames)))
    videos = [list(own) for _, own in groupby(frames, key=lambda key: key.video)]
    if len(videos) >= SEVERAL_VIDEOS:
        count = max(1, round(share * len(videos)))
        nearest = sorted(videos, key=lambda own: abs(len(own) - wanted / count))
        whole = sorted(key for own in nearest[:count] for key in own)
        if wanted / 2 <= len(whole) <= min(max(wanted, len(frames) / 3), len(frames) / 2):
            return whole
    longest = max(videos, key=len)
    return longest[-min(wanted, len(longest) // 2) :]
