"""``weclick predict``."""

from __future__ import annotations

from pathlib import Path

from weclick.cli.next_step import print_next
from weclick.cli.parser import call
from weclick.signals import stopping


def main(command: str, arguments: list[str]) -> None:
    """Parse the arguments and predict."""
    examples = ("weclick predict --source video.mp4", "weclick predict --run NAME --source rtsp://HOST/PATH")
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
    """Segment a video file, a folder of frames, a camera or a stream with a trained student.

    Args:
        source: Video file, folder of images, camera:0, or an address: rtsp://... or http://... Of a camera or stream the newest
            frame is used, and it is opened again when it is lost; Ctrl-C ends it.
        run: Run whose student to use, by name or folder; by default the newest.
        ckpt_path: Checkpoint, exported model or published folder to use instead of a run's student.
        out: Folder for the overlay video (or pictures) and the label PNGs. An earlier prediction there is replaced.
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

    if ckpt_path is None:
        from weclick.pipeline.run import Run  # imports what only training needs

        file = Run.find(run, Path(runs)).checkpoint("student", "last")
    else:
        file = Path(ckpt_path)
    with stopping():
        summary = predict_source(
            open_model(file),
            source,
            Path(out),
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
    replaced = ", in place of an earlier prediction" if summary.replaced else ""
    dropped = f", {summary.dropped} dropped," if realtime or summary.dropped else ""
    print(
        f"{summary.frames} frames{dropped} in {summary.seconds:.1f} s: {summary.fps_end_to_end:.1f} FPS end to end, "
        f"{summary.fps_network:.1f} FPS network alone; wrote {', '.join(map(str, summary.paths))}{replaced}"
    )
    if not ckpt_path:
        print_next("export", "--run", str(file.parents[1]))
