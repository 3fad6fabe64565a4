"""What else weclick works with: video codecs, Weights & Biases, the page's port. Nothing is contacted."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from weclick.errors import WeclickError, one_line
from weclick.pipeline.doctor.finding import Finding
from weclick.pipeline.options import PAGE_PORT

_CODECS: Final = {"VP8": ("VP80", ".mkv"), "VP9": ("VP90", ".mkv"), "MPEG-4": ("mp4v", ".mp4")}
_FRAMES: Final = 5


def examine_video() -> Iterator[Finding]:
    """Write a few frames with each codec, and read them again."""
    broken = [name for name, (code, suffix) in _CODECS.items() if not _works(code, suffix)]
    if broken:
        remedy = "run: pip install --force-reinstall --no-deps opencv-python-headless"
        yield Finding("problem", "video", f"OpenCV cannot write and read {', '.join(broken)}", remedy)
    else:
        yield Finding("ok", "video", f"OpenCV writes and reads {', '.join(_CODECS)}")


def _works(code: str, suffix: str) -> bool:
    import cv2
    import numpy as np

    from weclick.video import VideoReader

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"frames{suffix}"
        writer = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 10, (64, 48))
        for value in range(_FRAMES):
            writer.write(np.full((48, 64, 3), 40 * value, np.uint8))
        writer.release()
        try:
            with closing(VideoReader(file)) as video:
                return len(list(video.frames())) == _FRAMES
        except WeclickError:
            return False


def examine_tracking() -> Iterator[Finding]:
    """State how runs will be tracked."""
    mode = os.environ.get("WANDB_MODE")
    if mode in ("disabled", "offline", "dryrun", "online"):
        yield Finding("ok", "Weights & Biases", f"{mode}, by WANDB_MODE")
        return
    try:
        import wandb

        host = os.environ.get("WANDB_BASE_URL") or wandb.Settings().base_url
    except Exception as error:  # whatever a broken client raises; trainings go on without it
        remedy = "install it again: pip install --force-reinstall --no-deps wandb"
        yield Finding("warning", "Weights & Biases", f"cannot be used ({one_line(error)})", remedy)
        return
    found = "logged in: runs are tracked online" if _has_key(host) else "not logged in: runs are tracked offline"
    yield Finding("ok", "Weights & Biases", f"{found} unless --tracking.wandb says otherwise")


def _has_key(url: str) -> bool:
    """Return whether a key for the server is stored; wandb's own function would print, and start a process."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    with suppress(OSError, NetrcParseError):
        return netrc(os.environ.get("NETRC")).authenticators(urlsplit(url).hostname or "") is not None
    return False


def examine_port(port: int = PAGE_PORT) -> Iterator[Finding]:
    """Bind the port that the page is served at by default."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            remedy = "weclick start and annotate take any free one with --port 0"
            yield Finding("warning", "page", f"port {port} cannot be used ({error.strerror})", remedy)
        else:
            yield Finding("ok", "page", f"port {port} is free")
