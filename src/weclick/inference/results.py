"""Writing the results of a prediction: label maps, pictures, the overlay video; and removing those of an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from weclick.errors import ConfigError
from weclick.files import atomic_path, remove_leftovers, writing
from weclick.inference.frames import SourceFrame
from weclick.inference.stream import timed
from weclick.inference.writer import VideoWriter

Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From an RGB image and its class ids to the RGB picture to write, of one size for all frames of a video."""
Save = Callable[[int, SourceFrame, np.ndarray], None]
"""Writes one kind of result, given place, frame and class ids; called in order, in a thread of its own."""

NOTES: Final = ".predicted"
"""File in a folder of results that lists the files written there, one a line."""

RESULTS: Final = ("labels", "overlay", "overlay.mp4", "compare.webm")
"""Files and folders that a prediction writes; an earlier one's are removed."""

_KINDS: Final = ("classes.yaml", "overlay.mp4", "compare.webm", "labels/*.png", "overlay/*.jpg")


def note(out: Path, name: str) -> None:
    """List a file in ``out`` as a prediction's, before it is written: the next prediction removes only listed files."""
    with writing(out / NOTES), (out / NOTES).open("a", encoding="utf-8", errors="surrogateescape") as notes:
        notes.write(f"{name}\n")


def remove_earlier(out: Path) -> bool:
    """Remove the results of an earlier prediction from ``out``, and nothing else; return whether there were any.

    Raises:
        ConfigError: A file there looks like a result but is not listed: it would be replaced, or mistaken for a new one.
        DataError: A file cannot be removed.
    """
    existing = {path.relative_to(out).as_posix() for kind in _KINDS for path in out.glob(kind) if path.name[0] != "."}
    notes, earlier = out / NOTES, set[str]()
    with writing(notes):
        if notes.is_file():
            earlier = existing & set(notes.read_text(encoding="utf-8", errors="surrogateescape").split("\n"))
    if foreign := sorted(existing - earlier):
        more = f" (and {len(foreign) - 1} more)" if foreign[1:] else ""
        raise ConfigError(
            f"{out / foreign[0]}{more} is not listed in {notes.name} as written by weclick predict and would mix with the "
            f"results; move it away, or choose another output folder than {out}"
        )
    with writing(out):
        for name in earlier:
            (out / name).unlink()
        notes.unlink(missing_ok=True)
    remove_leftovers(out, out / "labels", out / "overlay")
    for folder in (out / "labels", out / "overlay"):
        with suppress(OSError):  # it does not exist, or holds other files
            folder.rmdir()
    return bool(earlier)


@contextmanager
def open_savers(
    out: Path, fps: float | None, draw: Draw | None, film: str, labels: bool, seconds: dict[str, float]
) -> Iterator[list[Save]]:
    """Yield what writes the results into ``out``; the overlay video is finished when the block ends.

    Args:
        out: Folder, see :func:`weclick.inference.predict.label_frames`.
        fps: Frame rate of the overlay video; None writes single pictures.
        draw: Makes the overlay; None writes none.
        film: Name of the overlay video.
        labels: Write label maps.
        seconds: Gets the time spent, as ``draw``, ``write`` and ``labels``.
    """
    savers: list[Save] = []
    with ExitStack() as stack:
        if labels:
            savers.append(partial(_save_labels, out, seconds))
        if draw and fps:
            note(out, film)
            savers.append(Film(stack.enter_context(VideoWriter(out / film, fps)), draw, seconds))
        elif draw:
            savers.append(partial(_save_picture, out, draw, seconds))
        yield savers


class Film:
    """The overlay video at the source's speed: in the place of a dropped frame it repeats the previous picture.

    Args:
        video: The file.
        draw: Makes the pictures.
        seconds: Gets the time spent, as ``draw`` and ``write``.
    """

    def __init__(self, video: VideoWriter, draw: Draw, seconds: dict[str, float]) -> None:
        self._video, self._draw, self._seconds = video, draw, seconds
        self._last: np.ndarray | None = None

    def __call__(self, place: int, frame: SourceFrame, ids: np.ndarray) -> None:
        """Show the frame from ``place`` on; of two frames with one place the first is shown."""
        with timed(self._seconds, "draw"):
            picture = self._draw(frame.image, ids)
        with timed(self._seconds, "write"):
            previous = picture if self._last is None else self._last
            while self._video.count < place:
                self._video.write(previous)
            if self._video.count == place:
                self._video.write(picture)
        self._last = picture


def _save_labels(out: Path, seconds: dict[str, float], place: int, frame: SourceFrame, ids: np.ndarray) -> None:
    with timed(seconds, "labels"):
        _write_image(out, f"labels/{frame.name}.png", ids)


def _save_picture(
    out: Path, draw: Draw, seconds: dict[str, float], place: int, frame: SourceFrame, ids: np.ndarray
) -> None:
    with timed(seconds, "draw"):
        picture = draw(frame.image, ids)
    with timed(seconds, "write"):
        _write_image(out, f"overlay/{frame.name}.jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _write_image(out: Path, name: str, image: np.ndarray) -> None:
    path = out / name
    # OpenCV's own PNG settings (run lengths, lowest level) are its fastest for label maps
    encoded = cv2.imencode(path.suffix, image)[1].tobytes()
    note(out, name)
    with writing(path), atomic_path(path, durable=False) as temporary:
        temporary.write_bytes(encoded)
