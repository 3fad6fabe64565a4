"""Which frame of a video shows the same as a still, found by content: decoders disagree on where a video starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from weclick.errors import DataError
from weclick.images import read_image, resize_image

_THUMB: Final = (36, 48)
"""(H, W) at which frames are compared; small, so that noise and compression do not count."""
_FEWEST: Final = 8
"""Stills needed to find an offset and to check it."""
_SPARSEST: Final = 2
"""Frame numbers per extracted frame, at most; sparser frames pair with too few stills."""
_NEAR: Final = 15
"""Frames within half a second look alike, so an offset is compared with others beyond it."""
_MARGIN: Final = 0.6
"""The distance under the best offset must be below this share of that under any other."""
_SLACK: Final = 1.25
"""A still agrees with an offset when its frame is at most so many times as far away as the nearest one around."""
_AGREEING: Final = 0.8
"""Share of the stills that must agree."""


def find_offset(stills: Mapping[int, Path], frames: Mapping[int, Path]) -> int:
    """Return how much larger a still's number is than the number of the video frame that shows the same.

    The offset is the one with the smallest mean correlation distance between every second still and the frame that it is
    paired with; the other stills must agree.

    Raises:
        DataError: Too few stills, or no offset is clearly best: another video, another frame rate, no motion.
    """
    numbers, first = sorted(stills), min(frames, default=0)
    span = max(frames, default=0) - first + 1
    if len(numbers) < _FEWEST or span > _SPARSEST * len(frames):
        raise DataError(f"{len(numbers)} stills and {len(frames)} frames are too few to match them")
    thumbs = np.full((span, _THUMB[0] * _THUMB[1]), np.nan, np.float32)
    for number, path in frames.items():
        thumbs[number - first] = _thumb(path)  # numbers without a frame stay NaN
    distance = 1 - np.stack([_thumb(stills[number]) for number in numbers]) @ thumbs.T
    offset = _best_start(distance[::2], np.array(numbers[::2])) - first
    _verify(distance[1::2], np.array(numbers[1::2]) - offset - first)
    return offset


def _thumb(path: Path) -> np.ndarray:
    # Brightness and contrast differ between decoders, so thumbs have mean 0 and length 1.
    grey = cv2.cvtColor(resize_image(read_image(path), _THUMB), cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6))


def _best_start(distance: np.ndarray, numbers: np.ndarray) -> int:
    """Return the still number that position 0 has under the best offset; ``distance`` is (stills, positions)."""
    span = int(distance.shape[1])
    total, count = (np.zeros(int(np.ptp(numbers)) + span) for _ in range(2))
    for row, start in zip(distance[:, ::-1], numbers - numbers.min(), strict=True):
        total[start : start + span] += np.nan_to_num(row)
        count[start : start + span] += ~np.isnan(row)
    # Offsets that pair fewer than half of the stills would win by chance.
    mean = np.where(count >= len(numbers) / 2, total / np.maximum(count, 1), np.inf)
    best = int(mean.argmin())
    others = np.delete(mean, slice(max(best - _NEAR, 0), best + _NEAR + 1))
    if not mean[best] < _MARGIN * others.min(initial=2.0):
        raise DataError("no offset between its frames and the stills is clearly best")
    return int(numbers.min()) + best - span + 1


def _verify(distance: np.ndarray, positions: np.ndarray) -> None:
    agreed = []
    for row, position in zip(distance, positions, strict=True):
        if 0 <= position < len(row) and not np.isnan(row[position]):
            nearby = row[max(position - _NEAR, 0) : position + _NEAR + 1]
            agreed.append(row[position] <= np.nanmin(nearby) * _SLACK + 1e-4)
    if len(agreed) < _FEWEST // 4 or np.mean(agreed) < _AGREEING:
        raise DataError(f"only {sum(agreed)} of {len(agreed)} other stills agree with the best offset")
