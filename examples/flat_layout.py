"""A layout from outside: one folder with all frames, ``<video>-<number>.png``, and masks, ``<video>-<number>.mask.png``.

    weclick --import flat_layout fit --config folder.yaml --data.root DATA --data.layout '{class_path: flat_layout.FlatLayout}'

A layout is a class made with ``root``, ``refuse`` (it calls this with a ``DataError`` for every file that cannot be used) and
its ``init_args``. It has ``root``, ``name``, ``classes``, ``splits()``, ``frames(split)`` and ``label_ids()``;
``weclick.data.index.Layout`` documents them. It lists images and never opens one: a data set may have 150,000.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from weclick.classes import ClassSet
from weclick.conventions import FrameKey
from weclick.data.index import Frame, Split
from weclick.errors import DataError


class FlatLayout:
    """Videos whose names begin with ``val`` are for validation, all others for training.

    Args:
        root: Folder with the frames and ``classes.yaml``.
        refuse: Called with an error for every file that cannot be used.
    """

    name = "flat"

    def __init__(self, root: Path, refuse: Callable[[DataError], None]) -> None:
        self.root, self.classes = root, ClassSet.read(root / "classes.yaml")
        self._frames: dict[Split, list[Frame]] = {"train": [], "val": [], "test": []}
        for path in sorted(root.glob("*.png")):
            video, _, number = path.stem.rpartition("-")
            if not video or not number.isdecimal():
                if not path.stem.endswith(".mask"):
                    refuse(DataError(f"{path} is not named <video>-<number>.png; rename or remove it"))
                continue
            mask = path.with_suffix(".mask.png")
            frame = Frame(FrameKey(video, int(number)), path, mask if mask.exists() else None)
            self._frames["val" if video.startswith("val") else "train"].append(frame)

    def splits(self) -> tuple[Split, ...]:
        """Splits that have frames."""
        return tuple(split for split, frames in self._frames.items() if frames)

    def frames(self, split: Split) -> list[Frame]:
        """All frames of a split."""
        return self._frames[split]

    def label_ids(self) -> None:
        """Masks hold class ids as they are."""
