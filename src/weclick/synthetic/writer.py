"""Write a synthetic data set in the official Cityscapes layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from weclick.conventions import Size
from weclick.errors import DataError
from weclick.files import new_folder
from weclick.synthetic.render import MAX_FRAMES, RenderedFrame, SyntheticVideo, check_size

GENERATOR_VERSION = 1
"""Increased whenever the same seed gives different pixels than before."""

CITIES = {"train": "synthaven", "val": "synthfield"}
FIRST_WORLD = {"train": 0, "val": 1_000_000}
"""Index of each split's first world. They are far apart, so that the number of training snippets does not change the
validation snippets."""

Report = Callable[[int, int], None]
"""Called with the number of finished frames and of all frames."""

NOTICE = """Synthetic street scenes in Cityscapes layout

Made by weclick, generator version {version}, seed {seed}: {train} training and {val} validation snippets of
{frames} frames, {height} x {width} pixels, target frame {target}. Training snippets are labelled on the target frame
only, validation snippets on every frame. Nothing in here was recorded; no real place, person or car is shown.

Dedicated to the public domain under CC0 1.0: https://creativecommons.org/publicdomain/zero/1.0/
"""


def write_synthetic(
    root: Path,
    *,
    seed: int = 0,
    train: int = 48,
    val: int = 8,
    frames: int = 12,
    target: int = 7,
    size: Size = (256, 512),
    progress: Report | None = None,
) -> None:
    """Write synthetic street video with exact labels, in Cityscapes layout.

    The data set is written completely or not at all. Every snippet shows a different street; the same seed gives the
    same bytes.

    Args:
        root: Folder to create; it may exist if it is empty.
        seed: Seed of all streets.
        train: Training snippets, labelled on the target frame only.
        val: Validation snippets, labelled on every frame.
        frames: Frames per snippet, 1/17 s apart.
        target: Number of the target frame, counted from 0.
        size: Image size (H, W).
        progress: Called after each frame; None shows a progress bar on a terminal if writing takes longer than 2 s.

    Raises:
        DataError: ``root`` is not empty or cannot be written, or a count or size is out of range.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp()) / "street"
        >>> write_synthetic(root, train=1, val=0, frames=2, target=1, size=(32, 64))
        >>> sorted(path.name for path in (root / "leftImg8bit/train/synthaven").iterdir())
        ['synthaven_000000_000001_leftImg8bit.png']
    """
    counts = {"train": train, "val": val}
    _check(seed, counts, frames, target)
    check_size(size)
    notice = NOTICE.format(
        version=GENERATOR_VERSION, seed=seed, **counts, frames=frames, target=target, height=size[0], width=size[1]
    )
    jobs = [
        (split, sequence, number) for split in counts for sequence in range(counts[split]) for number in range(frames)
    ]
    with (
        new_folder(root, "synthetic data set") as folder,
        nullcontext(progress) if progress else _progress_bar() as report,
    ):
        for done, (split, sequence, number) in enumerate(jobs, start=1):
            if number == 0:
                video = SyntheticVideo(seed, FIRST_WORLD[split] + sequence, size)
            labelled = split == "val" or number == target
            _write_frame(folder, split, f"{sequence:06d}_{number:06d}", video.frame(number), labelled)
            report(done, len(jobs))
        (folder / "README.txt").write_text(notice, encoding="utf-8")


def _check(seed: int, counts: dict[str, int], frames: int, target: int) -> None:
    if seed < 0:
        raise DataError(f"the seed must be 0 or more, found {seed}")
    if any(not 0 <= count < FIRST_WORLD["val"] for count in counts.values()) or not any(counts.values()):
        listed = ", ".join(f"{split} = {count}" for split, count in counts.items())
        raise DataError(f"a synthetic data set needs 0 to 999999 snippets per split and at least one, found {listed}")
    if not 1 <= frames <= MAX_FRAMES:
        raise DataError(f"a synthetic snippet has 1 to {MAX_FRAMES} frames, found {frames}")
    if not 0 <= target < frames:
        raise DataError(f"target frame {target} is outside a snippet of {frames} frames; choose 0 to {frames - 1}")


@contextmanager
def _progress_bar() -> Iterator[Report]:
    """Yield a function that shows a progress bar on a terminal after two seconds."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task, start = bar.add_task("Synthetic street", visible=False), bar.get_time()
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=bar.get_time() > start + 2)


def _write_frame(folder: Path, split: str, name: str, frame: RenderedFrame, labelled: bool) -> None:
    city = CITIES[split]
    subfolder, stem = Path(split) / city, f"{city}_{name}"
    image = _png(np.ascontiguousarray(frame.image[..., ::-1]))  # OpenCV writes BGR
    files = {"leftImg8bit_sequence": {"leftImg8bit": image}}
    if labelled:
        files["leftImg8bit"] = {"leftImg8bit": image}
        files["gtFine"] = {"gtFine_labelIds": _png(frame.label), "gtFine_instanceIds": _png(frame.instances)}
    for kind, contents in files.items():
        (folder / kind / subfolder).mkdir(parents=True, exist_ok=True)
        for suffix, content in contents.items():
            (folder / kind / subfolder / f"{stem}_{suffix}.png").write_bytes(content)


def _png(array: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    return bytes(cv2.imencode(".png", array)[1])
