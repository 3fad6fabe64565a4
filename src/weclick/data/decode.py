"""Decoding of video files into numbered frames, once and in order.

Nothing in weclick seeks in a video: where a seek lands depends on the codec and on the decoder's version.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import cv2

from weclick.data.times import Timing, timing
from weclick.errors import DataError
from weclick.files import partial_folder, write_json
from weclick.video import VideoReader

Progress = Callable[[int, int], None]
"""Called with (done, total) as work proceeds; total is 0 where it is unknown."""

MANIFEST: Final = "decoded.json"
JPEG_QUALITY: Final = 95

_LEAST_SHARE = 0.9
"""With a smaller share of the frames that it should give a video is truncated; with a larger one a few are damaged, or its
container miscounts."""

_REMEDY: Final = "fetch it again or move it away"

_log = logging.getLogger(__name__)


def decode_video(
    path: Path, out: Path, *, size: tuple[int, int] | None = None, progress: Progress | None = None
) -> int:
    """Decode every frame of a video into ``out/000000.jpg``, ``out/000001.jpg``, ... and return their number.

    Frames are rotated as the container states. ``out`` appears only when all frames are in it, together with a
    manifest, which also holds what the time stamps say (:mod:`weclick.data.times`); when it still fits the video, nothing is
    decoded again. Of several processes that need the same
    folder, one decodes and the others wait for it.

    Args:
        path: Video file.
        out: Folder to make; the decoded frames of an older version of the video are replaced.
        size: (H, W) to resize to, None to keep the video's own.
        progress: Called with (frames done, frames announced).

    Raises:
        DataError: No video, no frames, truncated, or ``out`` holds files of another origin.
    """
    origin = _origin(path, size)
    frames = _decoded(out, origin)
    if frames is not None:
        return frames
    with partial_folder(out, "decoding") as partial:
        frames = _decoded(out, origin)  # another process may have decoded it while this one waited
        return _decode_whole(path, out, partial, origin, size, progress) if frames is None else frames


def _decode_whole(
    path: Path,
    out: Path,
    partial: Path,
    origin: dict[str, Any],
    size: tuple[int, int] | None,
    progress: Progress | None,
) -> int:
    earlier = manifest(out)
    if earlier is None and out.exists():
        raise DataError(f"{out} is in the way and was not decoded by weclick; remove it to decode {path} again")
    stamps = _decode_all(path, partial, size, progress)
    found = timing(stamps)
    write_json(
        partial / MANIFEST,
        {"origin": origin, "frames": len(stamps), **({} if found is None else found._asdict())},
    )
    if earlier is not None:
        shutil.rmtree(out)
    partial.replace(out)
    return len(stamps)


def manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of :func:`decode_video` in a folder of frames, None where that did not make the folder."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and isinstance(content.get("frames"), int) else None


def decoded_timing(folder: Path) -> Timing | None:
    """Return what the time stamps of the video said that was decoded into a folder; None where that is unknown."""
    content = manifest(folder) or {}
    fps, gaps = content.get("fps"), content.get("gaps")
    if not isinstance(fps, float) or not isinstance(gaps, list):  # decoded before time stamps were read
        return None
    return Timing(fps, [number for number in gaps if isinstance(number, int)])


def is_decoded(path: Path, out: Path, size: tuple[int, int] | None = None) -> bool:
    """Return whether ``out`` holds the frames of ``path`` as the file is now."""
    return manifest(out) is not None and _decoded(out, _origin(path, size)) is not None


def _decoded(out: Path, origin: dict[str, Any]) -> int | None:
    """Return how many frames ``out`` holds, None where they are not of this origin."""
    content = manifest(out)
    return int(content["frames"]) if content is not None and content.get("origin") == origin else None


def _origin(path: Path, size: tuple[int, int] | None) -> dict[str, Any]:
    try:
        stat = path.stat()
    except OSError:
        raise DataError(f"video {path} not found") from None
    if not path.is_file() or stat.st_size == 0:
        raise DataError(f"video {path} is empty or no file; {_REMEDY}")
    resized = list(size) if size else None
    return {"name": path.name, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "size": resized}


def _decode_all(path: Path, folder: Path, size: tuple[int, int] | None, progress: Progress | None) -> list[float]:
    """Decode all frames and return their time stamps."""
    stamps: list[float] = []
    with closing(VideoReader(path)) as video:
        for frame in video.frames():
            if size is not None:
                frame = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)
            _, encoded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            (folder / f"{len(stamps):06d}.jpg").write_bytes(encoded.tobytes())
            stamps.append(video.time)
            if progress is not None:
                progress(len(stamps), max(video.announced, len(stamps)))
    _check_count(path, len(stamps), video.expected())
    return stamps


def _check_count(path: Path, done: int, expected: int) -> None:
    if done == 0:
        raise DataError(f"video {path} has no frame that can be decoded; {_REMEDY}")
    if done < _LEAST_SHARE * expected:
        raise DataError(f"video {path} is truncated: {done} of {expected} frames can be decoded; {_REMEDY}")
    if 0 < expected != done:
        _log.warning("video %s: %d frames decoded, its container announces %d", path, done, expected)
