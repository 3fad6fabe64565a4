"""A project: a data set of the layout "folder" made from videos, with a config to train on it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from weclick.classes import ClassSet, SemanticClass, distinct_color
from weclick.conventions import Size
from weclick.data.layouts.folder import SPLITS_FILE, list_videos
from weclick.data.options import CROP_MULTIPLE
from weclick.errors import DataError
from weclick.files import new_folder, write_text, writing
from weclick.inference.sources import VideoFile
from weclick.listing import list_images
from weclick.video import VIDEO_SUFFIXES

LONG_SIDE: Final = 480
"""Frames are trained on at most at this width or height, in pixels."""

LONGEST_NAME: Final = 60
"""Characters of a class name."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_COMMENT: Final = """\
# Settings of this project, for `weclick fit --config` and the Train button; yours to change.
# Chosen for 10 to 20 clicked frames: accepted labels teach most, clicks on frames without one grow along colours. There is no
# teacher, whose training takes longer than the student's. 600 steps at 270 x 480 took 12 minutes of one CPU core.
"""


@dataclass(frozen=True)
class Project:
    """A folder with ``videos/``, ``splits.yaml``, ``config.yaml`` and, once the classes are named, ``classes.yaml``."""

    folder: Path

    @property
    def config(self) -> Path:
        """Settings of its trainings."""
        return self.folder / "config.yaml"

    @property
    def runs(self) -> Path:
        """Folder of its trainings."""
        return self.folder / "runs"

    @property
    def videos(self) -> dict[str, Path]:
        """Its video files by name."""
        return list_videos(self.folder)

    @property
    def exists(self) -> bool:
        """Whether the folder is a project."""
        return self.config.is_file() and (self.folder / "videos").is_dir()

    @property
    def has_classes(self) -> bool:
        """Whether its classes are named."""
        return (self.folder / "classes.yaml").exists()

    def name_classes(self, classes: ClassSet) -> None:
        """Write ``classes.yaml``.

        Raises:
            DataError: The classes are named already, or the file cannot be written.
        """
        path = self.folder / "classes.yaml"
        if path.exists():
            raise DataError(f"{path} exists; clicks refer to its classes by their order, so it is not replaced")
        with writing(path):
            write_text(path, yaml.safe_dump(classes.to_list(), sort_keys=False, allow_unicode=True))


def make_project(folder: Path, videos: Sequence[Path], classes: ClassSet | None = None) -> Project:
    """Make the folder of a project, completely or not at all.

    Args:
        folder: Folder to make; it may exist if it is empty.
        videos: Video files; the project gets links to them, or copies where links are impossible.
        classes: The classes; None leaves them to be named later.

    Raises:
        DataError: A video cannot be read, two have one name, or the folder is not empty or cannot be written.
    """
    names = Counter(video.stem for video in videos)
    if twice := [name for name, count in names.items() if count > 1]:
        raise DataError(f"two videos are called {twice[0]}; rename one of them, as frames are named after their video")
    sizes = [VideoFile(video).size for video in videos]  # raises for a video that cannot be read
    with new_folder(folder, "project") as made:
        (made / "videos").mkdir()
        for video in videos:
            _link(video, made / "videos" / video.name)
        # all frames can be clicked and trained from: without masks, there is nothing to validate with
        splits = yaml.safe_dump({"train": sorted(names), "val": []}, allow_unicode=True)
        (made / SPLITS_FILE).write_text(splits, encoding="utf-8")
        (made / "config.yaml").write_text(_config(folder, sizes), encoding="utf-8")
        if classes is not None:
            Project(made).name_classes(classes)
    return Project(folder)


def find_videos(sources: Sequence[Path]) -> list[Path]:
    """Return the video files that are meant: files as they are, and those directly in folders.

    Raises:
        DataError: A file or folder is missing, or a folder holds no video.
    """
    found: list[Path] = []
    for source in sources:
        if not source.exists():
            raise DataError(f"{source} not found; give video files, or a folder of them")
        if source.is_dir() and not (own := list(list_images(source, VIDEO_SUFFIXES).values())):
            raise DataError(
                f"{source} holds no video ({', '.join(VIDEO_SUFFIXES)}); give video files, or a folder of them"
            )
        found += own if source.is_dir() else [source]
    return found


def default_folder(sources: Sequence[Path]) -> Path:
    """Return the project's folder if none is named: beside the videos, after the first."""
    first = sources[0].absolute()
    return first.with_name(f"{first.name if first.is_dir() else first.stem}-weclick")


def make_classes(names: Sequence[str], things: Collection[str] = ()) -> ClassSet:
    """Return classes in distinguishable colours.

    Args:
        names: Their names; spaces around them are removed.
        things: The names of those whose objects can be counted.

    Raises:
        DataError: There is no name, one is empty, too long, has control characters or appears twice, or a thing is none of them.
    """
    stripped, countable = [name.strip() for name in names], {name.strip() for name in things}
    for number, name in enumerate(stripped, 1):
        if not name or len(name) > LONGEST_NAME or _CONTROL.search(name):
            raise DataError(f"class {number} needs a name of 1 to {LONGEST_NAME} printable characters, found {name!r}")
    if unknown := sorted(countable - set(stripped)):
        raise DataError(f"{unknown[0]!r} is a thing but no class; the classes are: {', '.join(stripped)}")
    return ClassSet(
        tuple(SemanticClass(name, distinct_color(index), name in countable) for index, name in enumerate(stripped))
    )


def _link(video: Path, place: Path) -> None:
    try:
        place.symlink_to(video.resolve())
    except OSError:  # a file system without links
        shutil.copy2(video, place)


def _config(folder: Path, sizes: Sequence[Size]) -> str:
    """Return the text of a project's config for videos of these sizes."""
    share = min(1.0, LONG_SIDE / max(sizes[0]))
    size = [round(side * share) for side in sizes[0]]
    settings: dict[str, Any] = {
        "arm": "accepted",
        "data": {
            "root": str(folder.resolve()),
            "layout": "folder",
            "size": size,
            "batch_size": 4,
        },
        "student": {
            "network": {"name": "light", "encoder": "tf_efficientnet_lite0", "strides": [4, 8, 16], "scale": 0.8},
            "optimiser": {"learning_rate": 0.003},
            "terms": {"grown": {"weight": 1.0}},
        },
        "tracking": {"wandb": "disabled"},
        "trainer": {
            "accelerator": "auto",
            "devices": 1,
            "max_epochs": 50,
            "min_steps": 600,
            "gradient_clip_val": 5.0,
        },
    }
    if len({height > width for height, width in sizes}) > 1:  # a square lies inside of wide and of tall frames
        settings["data"]["draws"] = {"crop": [max(CROP_MULTIPLE, min(size) // CROP_MULTIPLE * CROP_MULTIPLE)] * 2}
    return _COMMENT + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
