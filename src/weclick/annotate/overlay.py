"""Overlays: a student's prediction as a transparent picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from weclick.annotate.pictures import Cache, Picture, Version, to_png
from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX

Predict = Callable[[Path], np.ndarray]
"""Returns the class ids, uint8 (H, W), of the picture at a path."""

CACHE_BYTES: Final = 32 << 20


class Overlays:
    """Predictions in the classes' colours, computed one at a time; pixels without a class are transparent."""

    def __init__(self, predict: Predict, classes: ClassSet) -> None:
        self._predict = predict
        alpha = np.full((256, 1), 255, np.uint8)
        alpha[IGNORE_INDEX] = 0
        self._colors = np.hstack([classes.palette, alpha])
        self._cache = Cache(CACHE_BYTES)
        self._thread = ThreadPoolExecutor(1, "overlay")

    async def read(self, version: Version) -> Picture:
        """Return the overlay for a version of a picture."""

        def make() -> Picture:
            pixels = self._colors[self._predict(version[0])]
            return Picture(to_png(cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)), "image/png", "")

        return await asyncio.get_running_loop().run_in_executor(self._thread, self._cache.get, version, make)

    def close(self) -> None:
        """Cancel predictions that have not started."""
        self._thread.shutdown(wait=False, cancel_futures=True)
