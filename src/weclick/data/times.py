"""What the time stamps of a video say: its frame rate, and where frames are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_ROUNDING = 0.001
"""Seconds by which two stamps may lie nearer or farther than their frames: several containers round to milliseconds."""


class Timing(NamedTuple):
    """Frames per second where none are missing, and the numbers of the frames right after missing ones."""

    fps: float
    gaps: list[int]


def timing(seconds: Sequence[float]) -> Timing | None:
    """Return what the stamps of all frames of a video, in seconds, say; None if they are of no use.

    The usual interval is the median. Frames are missing where the next stamp is late by more than half an interval. A single
    stamp that is wrong, by any time, is jitter: the stamps around it show that nothing is missing.
    """
    stamps = np.asarray(seconds, np.float64)
    intervals = np.diff(stamps)
    usual = float(np.median(intervals)) if len(intervals) else 0.0
    if usual <= 0:
        return None
    before = np.maximum(stamps[:-1], np.concatenate([[-np.inf], stamps[:-2] + usual]))
    after = np.minimum(stamps[1:], np.concatenate([stamps[2:] - usual, [np.inf]]))
    gaps = np.flatnonzero(after - before > 1.5 * usual + _ROUNDING) + 1
    regular = intervals[np.abs(intervals - usual) <= usual / 2 + _ROUNDING]
    return Timing(1 / float(regular.mean()), gaps.tolist())
