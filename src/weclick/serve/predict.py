"""Predict labels for every frame of a source and write them down."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Final

import cv2
import numpy as np
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError, DataError, ShapeError
from weclick.files import atomic_path, write_text, writing
from weclick.serve.video import Camera, SourceFrame, open_source
from weclick.serve.writer import VideoWriter

Segment = Callable[[np.ndarray], np.ndarray]
"""From an RGB image, uint8 (H, W, 3), to class ids, uint8 (H, W)."""
Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From an RGB image and its class ids to the RGB picture to show, of the same size for every frame of a video."""
Save = Callable[[SourceFrame, np.ndarray], None]

# frames read ahead, and frames waiting to be written: enough to overlap, few enough for 4K
_WAITING: Final = 3


@dataclass(frozen=True)
class Summary:
    """What a prediction did and how fast.

    ``fps_end_to_end`` covers opening, reading, network, drawing and writing; ``fps_network`` the segment calls alone.
    """

    frames: int
    seconds: float
    fps_end_to_end: float
    fps_network: float
    paths: tuple[Path, ...]


def predict(
    source: str | Path,
    segment: Segment,
    classes: ClassSet,
    out: Path,
    *,
    draw: Draw | None = None,
    labels: bool = True,
    max_frames: int | None = None,
    stride: int = 1,
) -> Summary:
    """Segment a video file, a folder of images or ``camera:N``, and write the results into ``out``.

    Written are ``labels/<name>.png`` (class ids, one channel) with ``classes.yaml``, and with ``draw`` either
    ``overlay.mp4`` or, for a folder, ``overlay/<name>.jpg``. Files of these names are replaced, others stay.
    Ctrl-C keeps what is written; it is the usual end of a camera, and goes on up from any other source.

    Args:
        source: Path, or ``camera:N``.
        segment: The network; it must return a new array each time.
        classes: The classes ``segment`` knows.
        out: Folder for the results, made if missing.
        draw: Makes the overlay, in a thread of its own; None writes no overlay.
        labels: Write label PNGs.
        max_frames: Stop after so many predicted frames.
        stride: Predict every so many-th frame; the overlay keeps the pace of the source.

    Raises:
        ConfigError: Nothing to write, a number below 1, or the results would replace the source.
        DataError: The source cannot be read, or ``out`` not be written.
        ShapeError: ``segment`` returned something else than class ids of the image's size.
    """
    started = perf_counter()
    if stride < 1 or (max_frames is not None and max_frames < 1):
        raise ConfigError(f"stride and max_frames must be at least 1, found {stride} and {max_frames}")
    frames = open_source(source)
    fps = frames.fps / stride if frames.fps else None
    paths = _prepare(source, out, classes, labels, "" if draw is None else "overlay.mp4" if fps else "overlay")
    stop = None if max_frames is None else (max_frames - 1) * stride + 1
    network = _Network(segment, len(classes))
    with _saver(out, fps, draw, labels) as save:
        _run(
            islice(iter(frames), 0, stop, stride),
            network,
            save,
            total=_total(frames.count, max_frames, stride),
            ends_by_hand=isinstance(frames, Camera),
        )
    seconds = perf_counter() - started
    return Summary(network.calls, seconds, network.calls / seconds, network.calls / max(network.seconds, 1e-9), paths)


def _prepare(source: str | Path, out: Path, classes: ClassSet, labels: bool, overlay: str) -> tuple[Path, ...]:
    paths = tuple(out / name for name in ("labels" if labels else "", overlay) if name)
    if not paths:
        raise ConfigError("nothing to write: labels and overlay are both off; turn one of them on")
    if Path(source).resolve() in [path.resolve() for path in paths]:
        raise ConfigError(f"results would replace their source {source}; choose another output folder than {out}")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        if labels:
            entries = yaml.safe_dump({"classes": classes.to_list()}, sort_keys=False, allow_unicode=True)
            write_text(out / "classes.yaml", entries)
    return paths


def _total(count: int | None, max_frames: int | None, stride: int) -> int | None:
    known = [n for n in (max_frames, None if count is None else -(-count // stride)) if n is not None]
    return min(known, default=None)


class _Network:
    """Times ``segment`` and checks what it returns."""

    def __init__(self, segment: Segment, class_count: int) -> None:
        self._segment, self._class_count = segment, class_count
        self.calls, self.seconds = 0, 0.0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        started = perf_counter()
        ids = self._segment(image)
        self.seconds += perf_counter() - started
        self.calls += 1
        if ids.dtype != np.uint8 or ids.shape != image.shape[:2]:
            raise ShapeError(f"the network gave {ids.dtype} {ids.shape} for an image {image.shape}; need uint8 (H, W)")
        if ((ids >= self._class_count) & (ids != IGNORE_INDEX)).any():
            raise DataError(f"the network predicts more than the {self._class_count} classes it is said to know")
        return ids


@contextmanager
def _saver(out: Path, fps: float | None, draw: Draw | None, labels: bool) -> Iterator[Save]:
    with VideoWriter(out / "overlay.mp4", fps) if draw and fps else nullcontext() as video:

        def save(frame: SourceFrame, ids: np.ndarray) -> None:
            if labels:
                _write_image(out / "labels" / f"{frame.name}.png", ids)
            if draw is None:
                return
            picture = draw(frame.image, ids)
            if video is not None:
                video.write(picture)
            else:
                _write_image(out / "overlay" / f"{frame.name}.jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

        yield save


def _write_image(path: Path, image: np.ndarray) -> None:
    with writing(path), atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def _run(
    frames: Iterator[SourceFrame], network: _Network, save: Save, *, total: int | None, ends_by_hand: bool
) -> None:
    """Read, predict and write at the same time; order is kept, and no queue grows."""
    written: deque[Future[None]] = deque()
    with _progress() as progress, ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        task = progress.add_task("predict", total=total)
        with suppress(KeyboardInterrupt) if ends_by_hand else nullcontext():
            for frame in _ahead(frames, reader):
                written.append(writer.submit(save, frame, network(frame.image)))
                if len(written) > _WAITING:
                    written.popleft().result()
                progress.advance(task)
        for pending in written:
            pending.result()


def _ahead(frames: Iterator[SourceFrame], pool: Executor) -> Iterator[SourceFrame]:
    pending = deque(pool.submit(next, frames, None) for _ in range(_WAITING))
    while (frame := pending.popleft().result()) is not None:
        pending.append(pool.submit(next, frames, None))
        yield frame


class _FPSColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} FPS")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _FPSColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
