"""Frames from a video file, a folder of images or a camera, and back into a video file.

Images are uint8 (H, W, 3) RGB. Sources iterate anew each time and hold one frame at a time; each has ``fps`` (None for
single images), ``size`` (H, W) of its first frame, upright, and ``count``, the frames to expect (None if unknown).
"""

from __future__ import annotations

import logging
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from weclick.errors import ConfigError, DataError, ShapeError
from weclick.files import atomic_path

# decoders complain on stderr by themselves; what matters is said in our own words
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
USUAL_FPS: Final = 25.0
"""Frame rate assumed where a file or camera states none."""

_CAMERA = "camera:"
_SPARE_BYTES = 16 << 20
_log = logging.getLogger(__name__)


class SourceFrame(NamedTuple):
    """One frame and the name its outputs carry: an image's stem, else the frame number in six digits."""

    name: str
    image: np.ndarray


def open_source(source: str | Path) -> VideoFile | FrameFolder | Camera:
    """Open a video file, a folder of images, or ``camera:N``.

    Raises:
        ConfigError: The camera number is no number.
        DataError: There is nothing there, or no frame of it can be read.
    """
    if isinstance(source, str) and source.startswith(_CAMERA):
        number = source.removeprefix(_CAMERA)
        if not number.isdecimal():
            raise ConfigError(f"camera number {number!r} is no number; write {_CAMERA}0 for the first camera")
        return Camera(int(number))
    path = Path(source)
    return FrameFolder(path) if path.is_dir() else VideoFile(path)


class VideoFile:
    """Frames of a video file, turned upright as its rotation tag says.

    A file that ends early or has damaged parts yields what can be decoded; the missing frames are counted in a warning.

    Raises:
        DataError: The file is missing, empty, truncated beyond reading, no video, or has no frame.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise DataError(f"{path} not found; give a video file, a folder of images, or {_CAMERA}0")
        if path.stat().st_size == 0:
            raise DataError(f"{path} is an empty file; copy or record it again")
        self.size, self.fps, self.count = _probe(path)

    def __iter__(self) -> Iterator[SourceFrame]:
        decoded = 0
        with _capture(self.path) as capture:
            for image in _images(capture):
                yield SourceFrame(f"{decoded:06d}", image)
                decoded += 1
        if self.count is not None and decoded < self.count:
            _log.warning(
                "%s: %d of %d frames could be decoded; the file is damaged or cut off", self.path, decoded, self.count
            )


class FrameFolder:
    """Images directly in a folder, in natural order (``2.jpg`` before ``10.jpg``).

    Unreadable images are skipped and counted in a warning.

    Raises:
        DataError: There is no image, none can be read, or two share a name but for the suffix.
    """

    fps: float | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        found = (p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
        self._images = sorted(found, key=lambda p: _natural(p.name))
        if not self._images:
            raise DataError(f"{path} holds no image ({', '.join(IMAGE_SUFFIXES)}); give a folder of frames")
        twice = [stem for stem, times in Counter(p.stem for p in self._images).items() if times > 1]
        if twice:
            raise DataError(
                f"{path} has several images called {twice[0]}, whose outputs share a name; keep one of them"
            )
        first = next((image for p in self._images if (image := _read_image(p)) is not None), None)
        if first is None:
            raise DataError(f"none of the {len(self._images)} images in {path} can be read; they are empty or damaged")
        self.size: tuple[int, int] = first.shape[:2]
        self.count: int | None = len(self._images)

    def __iter__(self) -> Iterator[SourceFrame]:
        skipped = []
        for path in self._images:
            image = _read_image(path)
            if image is None:
                skipped.append(path.name)
            else:
                yield SourceFrame(path.stem, image)
        if skipped:
            names = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
            _log.warning("%s: %d of %d images are unreadable: %s", self.path, len(skipped), len(self._images), names)


class Camera:
    """Frames of a camera until the caller stops.

    Raises:
        DataError: The camera cannot be opened or gives no picture.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.size, self.fps, self.count = *_probe(number)[:2], None

    def __iter__(self) -> Iterator[SourceFrame]:
        with _capture(self.number) as capture:
            for number, image in enumerate(_images(capture)):
                yield SourceFrame(f"{number:06d}", image)
        _log.warning("camera %d gives no more pictures", self.number)


class VideoWriter:
    """Writes an mp4: H.264 where PyAV (extra ``video``) is installed, else MPEG-4 part 2 through OpenCV.

    Codecs want even sides, so an odd last row or column is repeated once. The file appears when the block ends; after
    Ctrl-C it holds what was written until then, after an error it does not appear.

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
                self._encoder = _encoder_class()(self._temporary, self.fps, (height + bottom, width + right))
                self._shape = image.shape
            if image.shape != self._shape:
                raise ShapeError(f"{self.path} has frames of {self._shape}, found one of {image.shape}")
            if shutil.disk_usage(self.path.parent).free < _SPARE_BYTES:
                raise DataError(f"{self.path} cannot be written: its disk is full; free some space")
            self._encoder.write(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
        self.count += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:  # noqa: ANN401
        if isinstance(error, Exception) or (error is not None and self.count == 0):
            with suppress(Exception):
                self._close()
            self._whole.__exit__(kind, error, trace)
        else:
            with writing(self.path), self._whole:
                self._finish()

    def _finish(self) -> None:
        if self.count == 0:
            raise DataError(f"{self.path} is not written: there was no frame")
        self._close()
        found = 0
        # OpenCV tells of no failed write, a full disk included, so the file is counted
        with suppress(DataError), _capture(self._temporary) as capture:
            found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if found != self.count:
            raise DataError(f"{self.path} cannot be written whole ({found} of {self.count} frames); is its disk full?")

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()


def _encoder_class() -> type[_OpenCVEncoder] | type[_PyAVEncoder]:
    with suppress(ImportError):
        from av import codecs_available

        if "libx264" in codecs_available:
            return _PyAVEncoder
    return _OpenCVEncoder


class _OpenCVEncoder:
    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        fourcc = cv2.VideoWriter.fourcc(*"mp4v")
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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure of the file system inside the block into a DataError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}; check folder and free space") from error


@contextmanager
def _capture(source: Path | int) -> Iterator[cv2.VideoCapture]:
    if isinstance(source, Path):
        # absolute: "a:b.mp4" would be taken for a protocol; one backend: others read "%" as a numbered sequence
        capture = cv2.VideoCapture(str(source.absolute()), cv2.CAP_FFMPEG)
        refusal = f"{source} cannot be opened as a video; it is damaged, cut off or of an unknown format"
    else:
        capture = cv2.VideoCapture(source)
        refusal = f"camera {source} cannot be opened; check that it is plugged in and not in use"
    try:
        if not capture.isOpened():
            raise DataError(refusal)
        yield capture
    finally:
        capture.release()


def _images(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while (read := capture.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


def _probe(source: Path | int) -> tuple[tuple[int, int], float, int | None]:
    origin = source if isinstance(source, Path) else f"camera {source}"
    with _capture(source) as capture:
        # the first frame tells the size, not the container: rotation swaps the sides
        image = next(_images(capture), None)
        fps, count = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if image is None:
        raise DataError(f"{origin} gives no frame that can be decoded")
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        _log.warning("%s states no usable frame rate (%g); %g FPS are assumed", origin, fps, USUAL_FPS)
        fps = USUAL_FPS
    return image.shape[:2], fps, count if count > 0 else None


def _read_image(path: Path) -> np.ndarray | None:
    try:
        raw = path.read_bytes()
        return cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR_RGB) if raw else None
    except (OSError, cv2.error):
        return None


def _natural(name: str) -> list[str | int]:
    # split() with a group alternates text and digits, so equal positions compare equal types
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]
