"""A layout from outside whose frames lie in object storage or on a web server; fsspec reads them when they are needed.

    weclick --import remote_frames fit --data.root DATA --data.layout '{class_path: remote_frames.RemoteLayout}'

DATA is a local folder with ``classes.yaml``, the click store and ``frames.csv``: columns ``split, video, number, image, mask``,
where image and mask are URLs such as ``s3://bucket/drive/12.png`` and a mask may be empty. Each file is fetched once, into
``DATA/cache``.

A frame's ``image`` and ``label`` need only ``read_bytes()`` and a text that names them, so litdata's ``StreamingDataset`` or a
WebDataset with an index can be read in the same place: training reads frames in random order, by index.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import fsspec

from weclick.classes import ClassSet
from weclick.conventions import FrameKey
from weclick.data.index import SPLITS, Frame, Split
from weclick.errors import DataError


@dataclass(frozen=True)
class RemoteFile:
    """A file by its URL, fetched into a local cache at the first reading."""

    url: str
    cache: str

    def read_bytes(self) -> bytes:
        """Return the file's content; an ``OSError`` counts as a damaged frame."""
        with fsspec.open(f"simplecache::{self.url}", simplecache={"cache_storage": self.cache}) as stream:
            return bytes(stream.read())

    def __str__(self) -> str:
        return self.url


class RemoteLayout:
    """Frames listed in ``frames.csv``."""

    name = "remote"

    def __init__(self, root: Path, refuse: Callable[[DataError], None]) -> None:
        self.root, self.classes = root, ClassSet.read(root / "classes.yaml")
        self.frames_of: dict[str, list[Frame]] = {"train": [], "val": [], "test": []}
        with (root / "frames.csv").open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                image, mask = (cast(Path, RemoteFile(row[name], str(root / "cache"))) for name in ("image", "mask"))
                key = FrameKey(row["video"], int(row["number"]))
                self.frames_of[row["split"]].append(Frame(key, image, mask if row["mask"] else None))

    def splits(self) -> tuple[Split, ...]:
        """Splits that have frames."""
        return tuple(split for split in SPLITS if self.frames_of[split])

    def frames(self, split: Split) -> list[Frame]:
        """All frames of a split."""
        return self.frames_of[split]

    def label_ids(self) -> None:
        """Masks hold class ids as they are."""
