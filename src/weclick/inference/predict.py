"""Labelling every frame of a video, a folder, a camera or a stream, and writing the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError, DataError, ShapeError
from weclick.files import write_text, writing
from weclick.inference.drawing import BesideOriginal, Painter
from weclick.inference.live import LiveSource
from weclick.inference.model import Model
from weclick.inference.results import RESULTS, Draw, Save, note, open_savers, remove_earlier
from weclick.inference.segment import Segmenter
from weclick.inference.sources import open_source
from weclick.inference.stream import WAITING, Newest, ReadAhead, open_stream

Segment = Callable[[np.ndarray], np.ndarray]
"""From an RGB image, uint8 (H, W, 3), to class ids, uint8 (H, W). If it has ``seconds`` (by stage, so far), the
summary holds these instead of one figure for the network."""


@dataclass(frozen=True)
class Summary:
    """Results and speed of a prediction.

    ``fps_end_to_end`` covers opening, reading, network, drawing and writing; ``fps_network`` the segment calls alone.
    ``dropped`` counts the frames that a live source gave while the network was busy. ``stages`` are the seconds spent on
    decode, network (or the network's own stages), draw, write (of the overlay) and labels; they overlap, as they are spent
    in several threads. ``replaced``: the results of an earlier prediction were removed.
    """

    frames: int
    dropped: int
    seconds: float
    fps_end_to_end: float
    fps_network: float
    stages: dict[str, float]
    paths: tuple[Path, ...]
    replaced: bool


def predict(
    model: Model,
    source: str | Path,
    out: Path,
    *,
    overlay: bool = True,
    compare: bool = False,
    labels: bool = True,
    alpha: float = 0.5,
    legend: bool = True,
    smooth: float = 0.0,
    max_frames: int | None = None,
    stride: int = 1,
    realtime: bool = False,
) -> Summary:
    """Label every frame of a source with a model; see :func:`label_frames`.

    Args:
        model: Checkpoint or exported model, opened.
        source: Path, ``camera:N``, or an address: ``rtsp://...``, ``http://...``.
        out: Folder for the results.
        overlay: Write the overlay.
        compare: Write ``compare.webm`` in place of ``overlay.mp4``: the original and the overlay side by side.
        labels: Write label PNGs.
        alpha: Strength of the overlay's colours, 0..1.
        legend: Name the classes seen so far in a corner of the overlay.
        smooth: See :class:`~weclick.inference.segment.Smoother`; 0 leaves every frame as it is.
        max_frames: Stop after so many frames.
        stride: Take every so many-th frame only.
        realtime: Treat a video file as live: play it at its own pace. Cameras and streams always are.

    Raises:
        ConfigError: ``alpha`` or ``smooth`` is out of its range, or the model gives no probabilities to smooth.
    """
    painter = Painter(model.classes, alpha, legends=legend)
    return label_frames(
        source,
        Segmenter(model, smooth),
        model.classes,
        out,
        draw=BesideOriginal(painter) if compare else painter if overlay else None,
        film="compare.webm" if compare else "overlay.mp4",
        labels=labels,
        max_frames=max_frames,
        stride=stride,
        realtime=realtime,
    )


def label_frames(
    source: str | Path,
    segment: Segment,
    classes: ClassSet,
    out: Path,
    *,
    draw: Draw | None = None,
    film: str = "overlay.mp4",
    labels: bool = True,
    max_frames: int | None = None,
    stride: int = 1,
    realtime: bool = False,
) -> Summary:
    """Segment a video file, a folder of images, ``camera:N`` or a stream, and write the results into ``out``.

    Written are ``labels/<name>.png`` (class ids, one channel) with ``classes.yaml``, and with ``draw`` either
    the video ``film`` or, for a folder, ``overlay/<name>.jpg``. What an earlier prediction wrote there is removed first, all
    of it and nothing else; ``.predicted`` names it.
    Ctrl-C and SIGTERM keep what is written. Ctrl-C is the usual end of a live source, and goes on up from any other.

    Of a camera or stream, and with ``realtime`` of a video file, the newest frame is segmented and older ones that have waited
    are dropped. Labels keep their frame numbers, and the overlay its speed: in the place of a dropped frame it shows the
    picture before, and while a live source is lost the last one, but no longer than ``PAUSE``.

    Args:
        source: Path, ``camera:N``, or an address: ``rtsp://...``, ``http://...``.
        segment: The network; it must return a new array each time.
        classes: The classes ``segment`` knows.
        out: Folder for the results, made if missing.
        draw: Makes the overlay, in a thread of its own; None writes no overlay.
        film: Name of the overlay video; its suffix decides the format, see :class:`~weclick.inference.writer.VideoWriter`.
        labels: Write label PNGs.
        max_frames: Stop after so many predicted frames.
        stride: Predict every so many-th frame; the overlay keeps the pace of the source.
        realtime: Treat a video file as live: play it at its own pace. Cameras and streams always are.

    Raises:
        ConfigError: Nothing to write, a number below 1, ``realtime`` with a folder, or the results would replace the
            source or mix with files that no prediction wrote.
        DataError: The source cannot be read, or ``out`` not be written; the overlay up to a full disk is kept.
        ShapeError: ``segment`` returned something else than class ids of the image's size.
    """
    started = perf_counter()
    if stride < 1 or (max_frames is not None and max_frames < 1):
        raise ConfigError(f"stride and max_frames must be at least 1, found {stride} and {max_frames}")
    frames = open_source(source)
    stages: dict[str, float] = {}
    stream = open_stream(frames, stages, stride=stride, max_frames=max_frames, realtime=realtime)
    fps = frames.fps / stride if frames.fps else None
    paths = _places(source, out, labels, "" if draw is None else film if fps else "overlay")
    replaced = remove_earlier(out)
    _prepare(out, classes, labels)
    network = _Network(segment, len(classes))
    bar = _Bar(None if frames.count is None else -(-frames.count // stride), max_frames)
    with bar.progress, open_savers(out, fps, draw, film, labels, stages) as savers:
        with suppress(KeyboardInterrupt) if isinstance(frames, LiveSource) else nullcontext(), stream:
            _run(stream, max_frames, network, savers, bar)
    seconds = perf_counter() - started
    return Summary(
        frames=network.calls,
        dropped=stream.dropped,
        seconds=seconds,
        fps_end_to_end=network.calls / seconds,
        fps_network=network.calls / max(network.seconds, 1e-9),
        stages=stages | network.stages,
        paths=paths,
        replaced=replaced,
    )


def _places(source: str | Path, out: Path, labels: bool, overlay: str) -> tuple[Path, ...]:
    paths = tuple(out / name for name in ("labels" if labels else "", overlay) if name)
    if not paths:
        raise ConfigError("nothing to write: labels and overlay are both off; turn one of them on")
    if Path(source).resolve() in [(out / name).resolve() for name in RESULTS]:
        raise ConfigError(f"results would replace their source {source}; choose another output folder than {out}")
    return paths


def _prepare(out: Path, classes: ClassSet, labels: bool) -> None:
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        if labels:
            entries = yaml.safe_dump({"classes": classes.to_list()}, sort_keys=False, allow_unicode=True)
            note(out, "classes.yaml")
            write_text(out / "classes.yaml", entries)


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
        # the plain maximum is much faster, and nearly always enough
        if ids.max() >= self._class_count and ((ids >= self._class_count) & (ids != IGNORE_INDEX)).any():
            raise DataError(f"the network predicts more than the {self._class_count} classes that its checkpoint names")
        return ids

    @property
    def stages(self) -> dict[str, float]:
        """The network's own stages if it records them."""
        return dict(getattr(self._segment, "seconds", {"network": self.seconds}))


def _run(
    stream: ReadAhead | Newest, max_frames: int | None, network: _Network, savers: Sequence[Save], bar: _Bar
) -> None:
    """Read, predict and write at the same time; order is kept, and no queue grows."""
    written: deque[list[Future[None]]] = deque()
    with ExitStack() as stack:
        threads = [(stack.enter_context(ThreadPoolExecutor(1)), save) for save in savers]
        try:
            for place, frame in islice(stream, max_frames):
                ids = network(frame.image)
                written.append([thread.submit(save, place, frame, ids) for thread, save in threads])
                if len(written) > WAITING:
                    _wait(written.popleft())
                bar.show(network.calls, stream.dropped)
        finally:
            for pending in written:
                _wait(pending)


def _wait(pending: list[Future[None]]) -> None:
    for future in pending:
        future.result()


class _Bar:
    """Progress on stderr: frames done of those to come, frames dropped, frames per second."""

    def __init__(self, count: int | None, max_frames: int | None) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), _FPSColumn(), TimeRemainingColumn())
        self.progress = Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))
        self._drops_count = max_frames is None
        total = min((n for n in (count, max_frames) if n is not None), default=None)
        self._task = self.progress.add_task("predict", total=total, done=0)

    def show(self, done: int, dropped: int) -> None:
        """Move to so many frames done."""
        title = f"predict, {dropped} dropped" if dropped else "predict"
        completed = done + dropped if self._drops_count else done
        self.progress.update(self._task, completed=completed, description=title, done=done)


class _FPSColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['done'] / task.elapsed:.1f} FPS" if task.elapsed else "")
