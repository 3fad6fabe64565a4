"""``weclick predict``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weclick.cli.next_step import print_next
from weclick.cli.parser import call
from weclick.errors import DataError
from weclick.signals import stopping

if TYPE_CHECKING:
    from weclick.inference.predict import Summary


def main(command: str, arguments: list[str]) -> None:
    """Parse the arguments and predict."""
    examples = (
        "weclick predict --source video.mp4",
        "weclick predict --source 'videos/*.mp4'",
        "weclick predict --run NAME --source rtsp://HOST/PATH",
    )
    call(predict, f"weclick {command}", arguments, positional=False, examples=examples)


def predict(
    source: str,
    run: str | None = None,
    ckpt_path: str | None = None,
    out: str = "predictions",
    runs: str = "runs",
    overlay: bool = True,
    compare: bool = False,
    labels: bool = True,
    alpha: float = 0.5,
    legend: bool = True,
    max_frames: int | None = None,
    stride: int = 1,
    realtime: bool = False,
    smooth: float = 0.0,
) -> None:
    """Segment videos, a folder of frames, a camera or a stream with a trained student.

    Args:
        source: Video file, several as a folder or a pattern ('videos/*.mp4'), folder of images, camera:0, or an address:
            rtsp://... or http://... Of a camera or stream the newest frame is used, and it is opened again when it is lost;
            Ctrl-C ends it.
        run: Run whose student to use, by name or folder; by default the newest.
        ckpt_path: Checkpoint, exported model or published folder to use instead of a run's student.
        out: Folder for the overlay video (or pictures) and the label PNGs, of several videos with a folder for each. An earlier
            prediction there is replaced.
        runs: Folder of all runs.
        overlay: Write the overlay.
        compare: Write compare.webm in place of overlay.mp4: the original and the overlay side by side, for browsers.
        labels: Write one PNG of class ids per frame.
        alpha: Strength of the overlay's colours, 0 to 1.
        legend: Name the classes seen so far in the overlay's upper left corner.
        max_frames: Stop after this many frames.
        stride: Use only every n-th frame.
        realtime: Play a video file at its own speed: always use the newest frame and drop those that arrive while the network
            is busy. Cameras and streams are always used in this way.
        smooth: Weight of the earlier frames in a running average of class probabilities, from 0 (off) to below 1. Labels
            flicker less, but motion is not compensated, so objects that move fast leave a trail.
    """
    from weclick.inference.opening import open_model
    from weclick.inference.predict import predict as predict_source
    from weclick.inference.sources import several_videos

    if ckpt_path is None:
        from weclick.pipeline.run import Run  # imports what only training needs

        file = Run.find(run, Path(runs)).checkpoint("student", "last")
    else:
        file = Path(ckpt_path)
    predicted = partial(
        predict_source,
        open_model(file),
        overlay=overlay,
        compare=compare,
        labels=labels,
        alpha=alpha,
        legend=legend,
        smooth=smooth,
        max_frames=max_frames,
        stride=stride,
        realtime=realtime,
    )
    videos = several_videos(source)
    if videos is None:
        with stopping():
            _report(predicted(source, Path(out)), realtime)
    else:
        _predict_each(predicted, videos, Path(out), realtime)
    if not ckpt_path:
        print_next("export", "--run", str(file.parents[1]))


def _predict_each(
    predicted: Callable[[Path, Path], Summary], videos: dict[str, Path], out: Path, realtime: bool
) -> None:
    """Predict videos one after the other; one that cannot be read does not stop the others.

    Raises:
        DataError: Some could not be read.
    """
    failed = []
    for name, video in videos.items():
        try:
            with stopping():
                _report(predicted(video, out / name), realtime)
        except DataError as error:
            failed.append(video)
            print(f"warning: {error}", file=sys.stderr)
    if failed:
        raise DataError(f"{len(failed)} of {len(videos)} videos could not be predicted: {', '.join(map(str, failed))}")


def _report(summary: Summary, realtime: bool) -> None:
    replaced = ", in place of an earlier prediction" if summary.replaced else ""
    dropped = f", {summary.dropped} dropped," if realtime or summary.dropped else ""
    print(
        f"{summary.frames} frames{dropped} in {summary.seconds:.1f} s: {summary.fps_end_to_end:.1f} FPS end to end, "
        f"{summary.fps_network:.1f} FPS network alone; wrote {', '.join(map(str, summary.paths))}{replaced}",
        flush=True,
    )
