"""A layout from outside whose frames lie in object storage or on a web server; fsspec reads them when they are needed.

    weclick --import remote_frames fit --data.root DATA --data.layout '{class_path: remote_frames.RemoteLayout}'

DATA is a local folder with ``classes.yaml``, the click store and ``frames.csv``: columns ``split, video, number, image, mask``,
image and mask being URLs such as ``s3://bucket/12.png``; a mask may be empty. Each file is fetched once, into ``DATA/cache``.
Frames are read in random order and need only ``read_bytes()``, so they may also come from an index of litdata or WebDataset.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

import fsspec

from weclick.classes import ClassSet
from weclick.conventions import FrameKey
from weclick.data.index import SPLITS, Frame, Split
from weclick.errors import DataError


class RemoteFile(NamedTuple):
    """A file by its URL, fetched into a local cache at the first reading."""

    url: str
    cache: str

    def read_bytes(self) -> bytes:
        """Return the file's content; an ``OSError`` counts as a damaged frame."""
        kept = {"cache_storage": self.cache}
        return Path(fsspec.open_local(f"simplecache::{self.url}", simplecache=kept)).read_bytes()


class RemoteLayout:
    """Frames listed in ``frames.csv``."""

    name = "remote"

    def __init__(self, root: Path, refuse: Callable[[DataError], None]) -> None:
        self.root, self.classes = root, ClassSet.read(root / "classes.yaml")
        self.frames_of: dict[str, list[Frame]] = {split: [] for split in SPLITS}
        for row in csv.DictReader((root / "frames.csv").read_text(encoding="utf-8").splitlines()):
            image, mask = (cast(Path, RemoteFile(row[name], str(root / "cache"))) for name in ("image", "mask"))
            frame = Frame(FrameKey(row["video"], int(row["number"])), image, mask if row["mask"] else None)
            self.frames_of[row["split"]].append(frame)

    def splits(self) -> tuple[Split, ...]:
        """Splits that have frames."""
        return tuple(split for split in SPLITS if self.frames_of[split])

    def frames(self, split: Split) -> list[Frame]:
        """All frames of a split."""
        return self.frames_of[split]

    def label_ids(self) -> None:
        """Masks hold class ids as they are."""
