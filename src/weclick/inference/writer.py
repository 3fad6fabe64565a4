"""Writing images, uint8 (H, W, 3) RGB, to a video file."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from weclick.disk import disk_state
from weclick.errors import DataError, ShapeError
from weclick.files import atomic_path, writing
from weclick.inference.prediction import Prediction
from weclick.inference.sources import VideoFile

_SPARE_BYTES = 16 << 20


class _DiskFullError(DataError):
    """The disk is nearly full; the space left is just enough to finish the file."""


class VideoWriter:
    """Writes a .webm (VP8) or an mp4: H.264 where PyAV (extra ``video``) is installed, else MPEG-4 part 2 through OpenCV.

    Codecs want even sides, so an odd last row or column is repeated once. The file appears when the block ends; after
    Ctrl-C or with a full disk it holds what was written until then, after any other error it does not appear.

    Raises:
        DataError: The place cannot be written, its disk is full, or no frame came.
        ShapeError: A frame differs in size from the first.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps, self.count = path, fps, 0
        self._encoder: _OpenCVEncoder | _PyAVEncoder | None = None
        self._shape: tuple[int, ...] = ()
        self._whole = ExitStack()

    def __enter__(self) -> VideoWriter:
        with writing(self.path):
            self._temporary = self._whole.enter_context(atomic_path(self.path))
        return self

    def write(self, image: np.ndarray) -> None:
        """Append an RGB image."""
        height, width = image.shape[:2]
        bottom, right = height % 2, width % 2
        with writing(self.path):
            if self._encoder is None:
                self._encoder = _encoder_class(self.path)(self._temporary, self.fps, (height + bottom, width + right))
                self._shape = image.shape
            if image.shape != self._shape:
                raise ShapeError(f"{self.path} has frames of {self._shape}, found one of {image.shape}")
            if shutil.disk_usage(self.path.parent).free < _SPARE_BYTES:
                raise _DiskFullError(f"{self.path} cannot be written: {self._full}")
            self._encoder.write(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
        self.count += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:  # noqa: ANN401
        full = isinstance(error, _DiskFullError)
        if error is not None and (self.count == 0 or (isinstance(error, Exception) and not full)):
            with suppress(Exception):
                self._close()
            self._whole.__exit__(kind, error, trace)
            return
        with writing(self.path), self._whole:
            self._finish()
        if full:
            raise DataError(f"{self.path} ends after {self.count} frames: {self._full}") from None

    @property
    def _full(self) -> str:
        disk, state = disk_state(self.path)
        return f"the disk {disk} is full ({state}); free some space"

    def _finish(self) -> None:
        if self.count == 0:
            raise DataError(f"{self.path} is not written: there was no frame")
        self._close()
        written = 0
        # OpenCV reports no failed write, not even on a full disk
        with suppress(DataError):
            written = VideoFile(self._temporary).count or 0
        if written != self.count or not _has_frame(self._temporary, self.count - 1):
            raise DataError(
                f"{self.path} cannot be written whole ({self.count} frames); is its disk full, or are files of its size not "
                "allowed (ulimit -f, quota)?"
            )

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()


def _has_frame(path: Path, number: int) -> bool:
    """Return whether a frame can be decoded.

    The header states how many there should be; after a failed write FFmpeg writes no more, so that the last one is missing.
    """
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_POS_FRAMES, number)
    found: bool = capture.read()[0]
    capture.release()
    return found


def write_overlays(predictions: Iterable[Prediction], path: Path, fps: float) -> Path:
    """Write the overlays of predictions as a video, and return its path; see :class:`VideoWriter`."""
    with VideoWriter(path, fps) as video:
        for prediction in predictions:
            video.write(prediction.overlay())
    return path


def _encoder_class(path: Path) -> type[_OpenCVEncoder] | type[_PyAVEncoder]:
    if path.suffix == ".webm":  # OpenCV's wheel has libvpx
        return _OpenCVEncoder
    with suppress(ImportError):
        from av import codecs_available

        if "libx264" in codecs_available:
            return _PyAVEncoder
    return _OpenCVEncoder


class _OpenCVEncoder:
    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        fourcc = cv2.VideoWriter.fourcc(*("VP80" if path.suffix == ".webm" else "mp4v"))
        self._writer = cv2.VideoWriter(str(path.absolute()), cv2.CAP_FFMPEG, fourcc, fps, size[::-1])
        if not self._writer.isOpened():
            raise DataError(f"OpenCV cannot encode {size[1]}x{size[0]} at {fps:g} FPS into {path.parent}")

    def write(self, image: np.ndarray) -> None:
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()


class _PyAVEncoder:
    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        import av

        self._frame = av.VideoFrame.from_ndarray
        self._container = av.open(str(path), "w")
        rate, speed = Fraction(fps).limit_denominator(1001), {"preset": "veryfast"}
        self._stream = self._container.add_stream("libx264", rate=rate, options=speed)
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"

    def write(self, image: np.ndarray) -> None:
        self._container.mux(self._stream.encode(self._frame(image, format="rgb24")))

    def close(self) -> None:
        with self._container:
            self._container.mux(self._stream.encode())
