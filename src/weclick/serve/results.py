"""Writing what was predicted: label maps, pictures, the overlay video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from weclick.files import atomic_path, writing
from weclick.serve.stream import timed
from weclick.serve.video import SourceFrame
from weclick.serve.writer import VideoWriter

Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From an RGB image and its class ids to the RGB picture to show, of the same size for every frame of a video."""
Save = Callable[[int, SourceFrame, np.ndarray], None]
"""Writes one kind of result, given place, frame and class ids; to be called in order, in a thread of its own."""


@contextmanager
def open_savers(
    out: Path, fps: float | None, draw: Draw | None, labels: bool, seconds: dict[str, float]
) -> Iterator[list[Save]]:
    """Yield what writes the results into ``out``; the overlay video is finished when the block ends.

    Args:
        out: Folder, see :func:`weclick.serve.predict.predict`.
        fps: Frame rate of the overlay video; None writes single pictures.
        draw: Makes the overlay; None writes none.
        labels: Write label maps.
        seconds: Gets the time spent, as ``draw``, ``write`` and ``labels``.
    """
    savers: list[Save] = []
    with ExitStack() as stack:
        if labels:
            savers.append(partial(_save_labels, out / "labels", seconds))
        if draw and fps:
            savers.append(Film(stack.enter_context(VideoWriter(out / "overlay.mp4", fps)), draw, seconds))
        elif draw:
            savers.append(partial(_save_picture, out / "overlay", draw, seconds))
        yield savers


class Film:
    """The overlay video at the source's speed: a dropped frame's place shows the picture before it.

    Args:
        video: Where the pictures go.
        draw: Makes them.
        seconds: Gets the time spent, as ``draw`` and ``write``.
    """

    def __init__(self, video: VideoWriter, draw: Draw, seconds: dict[str, float]) -> None:
        self._video, self._draw, self._seconds = video, draw, seconds
        self._last: np.ndarray | None = None

    def __call__(self, place: int, frame: SourceFrame, ids: np.ndarray) -> None:
        """Show the frame from ``place`` on; of two with one place the first is shown."""
        with timed(self._seconds, "draw"):
            picture = self._draw(frame.image, ids)
        with timed(self._seconds, "write"):
            before = picture if self._last is None else self._last
            while self._video.count < place:
                self._video.write(before)
            if self._video.count == place:
                self._video.write(picture)
        self._last = picture


def _save_labels(folder: Path, seconds: dict[str, float], place: int, frame: SourceFrame, ids: np.ndarray) -> None:
    with timed(seconds, "labels"):
        _write_image(folder / f"{frame.name}.png", ids)


def _save_picture(
    folder: Path, draw: Draw, seconds: dict[str, float], place: int, frame: SourceFrame, ids: np.ndarray
) -> None:
    with timed(seconds, "draw"):
        picture = draw(frame.image, ids)
    with timed(seconds, "write"):
        _write_image(folder / f"{frame.name}.jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _write_image(path: Path, image: np.ndarray) -> None:
    # OpenCV's own PNG settings (run lengths, lowest level) are its fastest for label maps
    encoded = cv2.imencode(path.suffix, image)[1].tobytes()
    with writing(path), atomic_path(path, durable=False) as temporary:
        temporary.write_bytes(encoded)
