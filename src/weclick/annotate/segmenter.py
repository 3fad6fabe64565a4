"""The worker process of the preview: torch, the probe, and a thread that learns. Imported there only."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from multiprocessing import parent_process
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from platformdirs import user_cache_path
from torch import Tensor

from weclick.clicks.labels import SURE
from weclick.clicks.records import UNKNOWN
from weclick.images import read_image
from weclick.probe.cache import CachedFeatures
from weclick.probe.features import FrozenFeatures
from weclick.probe.linear import LinearProbe
from weclick.probe.preview import Point, Preview, SoftPreview, grid_size

Version = tuple[Path, int, int]
"""Of a picture, as in :mod:`weclick.annotate.pictures`."""

RECENT: Final = 4
"""Frames that are kept ready for the next click."""
REFIT_STEPS: Final = 30
REFIT_SECONDS: Final = 5.0
"""Between two fits while more clicks wait to be learned from."""

_log = logging.getLogger(__name__)


class Segmenter:
    """Previews of frames by a probe that learns from the clicks of all frames in a thread of its own.

    Args:
        classes: Number of classes.
        cache: Bytes of features to keep on disk, in the user's cache folder.
    """

    def __init__(self, classes: int, cache: int) -> None:
        self.classes = classes
        self._features = CachedFeatures(FrozenFeatures(), user_cache_path("weclick") / "features", cache)
        self._probe: LinearProbe | None = None
        self._frames: OrderedDict[Version, Preview] = OrderedDict()
        self._examined: dict[Version, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()
        self._clicked: dict[Path, tuple[Tensor, Tensor]] = {}
        self._todo: SimpleQueue[tuple[Version, Sequence[Point] | None]] = SimpleQueue()
        threading.Thread(target=self._learn, name="probe", daemon=True).start()

    def segment(self, version: Version, points: Sequence[Point], absent: Collection[int] = ()) -> SoftPreview | None:
        """Return the preview of a version of a picture with these clicks, without classes that are known to be absent.

        It is None before the first click on any frame.

        Raises:
            DataError: The picture cannot be read.
        """
        preview = self._frame(version)  # in any case, so that the first click finds it ready
        if self._probe is None and all(class_id == UNKNOWN for *_, class_id in points):
            return None
        probe = self._probe or LinearProbe.untrained(self.classes, preview.features.channels)
        return preview.update(probe, points, absent)

    def examine(self, version: Version) -> tuple[float, float | None] | None:
        """Return the share of a frame of which the shared probe is unsure, and the share that it labels differently from before.

        The second is None for a frame that was not examined before. Before the first click on any frame, the result is None.

        Raises:
            DataError: The picture cannot be read.
        """
        probe = self._probe
        if probe is None:
            return None
        features = self._features(read_image(version[0]))
        probabilities = probe.probabilities(features, grid_size(features.source))
        ids, before = probabilities.argmax(0).astype(np.uint8), self._examined.get(version)
        self._examined[version] = ids
        unsure = float((probabilities.max(0) < SURE).mean())
        return unsure, None if before is None else float((ids != before).mean())

    def learn(self, version: Version, points: Sequence[Point]) -> None:
        """Learn from the clicks of a frame, in place of those it had before, as soon as there is time."""
        self._todo.put((version, points))

    def prepare(self, version: Version) -> None:
        """Keep a frame ready that will probably be asked for next, as soon as there is time."""
        self._todo.put((version, None))

    def _frame(self, version: Version) -> Preview:
        with self._lock:
            if version in self._frames:
                self._frames.move_to_end(version)
                return self._frames[version]
        image = read_image(version[0])
        preview = Preview(image, self._features(image))
        with self._lock:
            self._frames[version] = preview
            while len(self._frames) > RECENT:
                self._frames.popitem(last=False)
        return preview

    def _learn(self) -> None:
        fitted, learned = 0.0, True
        while True:
            version, points = self._todo.get()
            try:
                if points is None:
                    self._frame(version)
                else:
                    self._add_features(version, points)
                    learned = False
                # at the start there are many frames to learn from: previews get better while that goes on
                if not learned and self._clicked and (self._todo.empty() or time.monotonic() > fitted + REFIT_SECONDS):
                    self._refit()
                    fitted, learned = time.monotonic(), True
            except Exception as error:  # a damaged picture, for example; the next frame may do
                _log.warning("the preview does not learn from %s: %s", version[0].name, error)

    def _refit(self) -> None:
        inputs, ids = (torch.cat(parts) for parts in zip(*self._clicked.values(), strict=True))
        start = self._probe or LinearProbe.untrained(self.classes, inputs.shape[1])
        self._probe = start.fitted(inputs, ids, steps=REFIT_STEPS)

    def _add_features(self, version: Version, points: Sequence[Point]) -> None:
        self._clicked.pop(version[0], None)
        if points:
            with self._lock:
                shown = self._frames.get(version)
            features = shown.features if shown else self._features(read_image(version[0]))
            ids = torch.tensor([class_id for *_, class_id in points])
            self._clicked[version[0]] = (features.at([(x, y) for x, y, _ in points]), ids)


_segmenter: Segmenter | None = None


def start(classes: int, cache: int) -> None:
    """Prepare this process: one thread for torch, and an end when its parent ends, however that happens."""
    global _segmenter
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _segmenter = Segmenter(classes, cache)


def segmenter() -> Segmenter:
    """Return the segmenter of this process."""
    assert _segmenter is not None
    return _segmenter


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
