"""The layout for a user's own data: a folder of videos or of frames, and a list of classes."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import Progress, TaskID

from weclick.bounded_yaml import read_yaml
from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.data.decode import MANIFEST, decode_video, decoded_timing, is_decoded, manifest
from weclick.data.index import SPLITS, Frame, FrameKey, Refuse, Split, refuse
from weclick.data.layouts.listed import ListedLayout, refuse_lossy_masks
from weclick.errors import DataError
from weclick.files import walk
from weclick.listing import IMAGE_SUFFIXES, MASK_SUFFIXES, has_images, list_images, list_numbered
from weclick.video import VIDEO_SUFFIXES

SPLITS_FILE: Final = "splits.yaml"

EVERY: Final = 5
"""Without ``splits.yaml``, every fifth video with masks is for validation."""

TRAIN_SHARE: Final = 0.8
GAP_SHARE: Final = 0.05
"""Of a single video, this share of frames before the validation part is in no split: they look too similar to it."""

_log = logging.getLogger(__name__)


class FolderLayout(ListedLayout):
    """Videos or frames with ``classes.yaml``, and optionally ``masks``, ``instances`` and ``splits.yaml``.

    Frames lie in ``frames/<video>/<n>.jpg|png``; ``videos/<video>.mp4`` is decoded into such a folder by
    :func:`decode_videos` first. Masks, ``masks/<video>/<n>.png``, hold class ids and 255 for ignore. A video may lie in folders
    of its own (``frames/day1/drive/1.jpg``), which are part of its name (``day1/drive``).

    Args:
        root: The data set.
        refuse: Error handler for every file that cannot be used; see :data:`weclick.data.index.Refuse`.
        without: Videos that cannot be decoded and have no frames.

    Raises:
        DataError: No such folder, no ``classes.yaml``, no videos or frames, or a video that is not decoded.
    """

    name = "folder"
    needs = "classes.yaml with videos/ or frames/<video>/"
    reads = MappingProxyType(
        {"videos": VIDEO_SUFFIXES, "frames": IMAGE_SUFFIXES, "masks": MASK_SUFFIXES, "instances": MASK_SUFFIXES}
    )
    companions = re.compile(rf"{re.escape(MANIFEST)}|Thumbs\.db")

    def __init__(self, root: Path, refuse: Refuse = refuse, without: Collection[str] = ()) -> None:
        super().__init__(root, refuse)
        self.classes = ClassSet.read(root / "classes.yaml")
        self._videos = list_videos(root)
        self._folders = self._frame_folders(without)
        timings = {name: decoded_timing(folder) for name, folder in self._folders.items() if folder is not None}
        self._timings = {name: found for name, found in timings.items() if found is not None}

    @classmethod
    def recognises(cls, root: Path) -> bool:
        """Return whether ``root`` looks like this layout."""
        return any((root / folder).is_dir() for folder in ("videos", "frames"))

    def label_ids(self) -> Sequence[int]:
        """Class ids as they are; 255 is ignored, ids beyond the classes are unknown."""
        count = len(self.classes)
        return (*range(count), *[-1] * (IGNORE_INDEX - count), IGNORE_INDEX)

    def needs_file(self, path: Path) -> bool:
        """Return whether a file is a video."""
        return path in self._videos.values()

    def rates(self) -> Mapping[str, float]:
        """Return the frames per second of the videos that were decoded here."""
        return {name: found.fps for name, found in self._timings.items()}

    def _frame_folders(self, without: Collection[str]) -> dict[str, Path | None]:
        """Return the folder of every video's frames, None for those without."""
        folders: dict[str, Path | None] = {
            name: folder for name, folder, _ in walk(self.root / "frames") if name and has_images(folder)
        }
        for name, path in self._videos.items():
            folders[name] = None if name in without else _decoded_folder(name, path, self.root)
            if folders[name] is None and name not in without:
                raise DataError(f"{path} is not decoded into frames yet; open the data set with weclick's open_layout")
        if not folders:
            raise DataError(f"{self.root} holds no video; put files into videos/ or frames into frames/<video>/")
        return dict(sorted(folders.items()))

    def _list(self) -> dict[Split, list[Frame]]:
        self._check_mask_folders()
        videos = {name: self._frames_of(name, folder) for name, folder in self._folders.items()}
        path = self.root / SPLITS_FILE
        try:
            if path.exists():
                return _by_split(_read_splits(path, set(videos)), videos)
        except DataError as error:
            self._refuse(error)
        splits = _cut_single(next(iter(videos.values()))) if len(videos) == 1 else _every_fifth(videos)
        if any(frame.label for frame in splits["val"]):
            return splits
        return _by_split({"train": list(videos), "val": [], "test": []}, videos)  # nothing could be validated with

    def _check_mask_folders(self) -> None:
        for kind in ("masks", "instances"):
            for name, folder, files in walk(self.root / kind):
                if name and files and name not in self._folders:
                    videos = ", ".join(self._folders)
                    self._refuse(DataError(f"{folder} belongs to no video; the videos are: {videos}"))

    def _frames_of(self, name: str, folder: Path | None) -> list[Frame]:
        if folder is None:
            return []
        try:
            images = list_numbered(folder)
            masks, instances = (_list_masks(self.root / kind / name) for kind in ("masks", "instances"))
        except DataError as error:  # one such file leaves open which mask belongs to which frame of the video
            self._refuse(error)
            return []
        for number, path in [*masks.items(), *instances.items()]:
            if number not in images:
                self._refuse(
                    DataError(f"{path} has no frame {number} in {folder}; restore the frame or remove the mask")
                )
        gaps = set(self._timings[name].gaps) if name in self._timings else ()
        return [
            Frame(FrameKey(name, n), image, masks.get(n), instances.get(n), n in gaps) for n, image in images.items()
        ]


def _list_masks(folder: Path) -> dict[int, Path]:
    refuse_lossy_masks(folder)
    return list_numbered(folder, MASK_SUFFIXES)


def list_videos(root: Path) -> dict[str, Path]:
    """Return the files in ``root/videos`` by the name of their video, the path without suffix: ``day1/drive``.

    Raises:
        DataError: Two files give the same name.
    """
    return {
        f"{name}/{stem}" if name else stem: path
        for name, folder, _ in walk(root / "videos")
        for stem, path in list_images(folder, VIDEO_SUFFIXES).items()
    }


Show = Callable[[str, int, int], None]
"""Called with (video, frames decoded, frames announced) while a video is decoded."""


def decode_videos(root: Path, refuse: Refuse = refuse, show: Show | None = None) -> list[str]:
    """Decode the videos of a data set that are not decoded yet, with a progress bar on a terminal.

    Frames are written to ``root/frames``, or, where that is read-only, to the user's cache folder (on Linux,
    ``$XDG_CACHE_HOME/weclick``), by data set. Frames that were extracted into ``root/frames/<video>`` by hand stay as they are.

    Args:
        root: The data set.
        refuse: Error handler for every damaged video; by default the first error is raised.
        show: Gets the progress, in place of the bar.

    Returns:
        Names of the videos that cannot be decoded.

    Raises:
        DataError: Two videos have one name.
    """
    waiting = [(name, path) for name, path in list_videos(root).items() if not _is_decoded(name, path, root)]
    if not waiting:
        return []
    parent, cache = _parents(root)
    if not _writable(parent):
        _log.warning("%s is read-only: decoding its videos into %s", root, cache)
        parent = cache
    console, bad = Console(stderr=True), list[str]()
    with Progress(console=console, transient=True, disable=show is not None or not console.is_terminal) as bar:
        for count, (name, path) in enumerate(waiting, 1):
            task = bar.add_task(f"decoding {name} ({count} of {len(waiting)})", total=None)
            try:
                progress = partial(show, name) if show else partial(_show, bar, task)
                decode_video(path, parent / name, progress=progress)
            except DataError as error:
                refuse(error)
                bad.append(name)
            bar.remove_task(task)
    return bad


def _show(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def _parents(root: Path) -> tuple[Path, Path]:
    """Return the two folders that may contain the folders of frames: the one in the data set, and the one in the cache."""
    # The hash keeps apart data sets of the same name, whose videos may have the same names too.
    own = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
    return root / "frames", user_cache_path("weclick") / f"{root.resolve().name}-{own}"


def _decoded_folder(name: str, video: Path, root: Path) -> Path | None:
    """Return the folder with the video's frames, decoded or extracted by hand; None where there is none."""
    for folder in (parent / name for parent in _parents(root)):
        # Frames extracted by hand count as they are: nothing shows whether they fit the video as it is now.
        by_hand = manifest(folder) is None and has_images(folder)
        if by_hand or is_decoded(video, folder):
            return folder
    return None


def _is_decoded(name: str, video: Path, root: Path) -> bool:
    try:
        return _decoded_folder(name, video, root) is not None
    except DataError:  # an empty file has replaced a decoded video: decoding it reports that
        return False


def _writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _read_splits(path: Path, videos: set[str]) -> dict[Split, list[str]]:
    listed = read_yaml(path)
    if not isinstance(listed, Mapping) or not all(isinstance(names, list) for names in listed.values()):
        raise DataError(f"{path} must map train, val, test to lists of video names; see data/README.md")
    if unknown := [str(split) for split in listed if split not in SPLITS]:
        raise DataError(f"{path} names unknown splits: {', '.join(unknown)}; use train, val, test")
    names = [name for split in listed for name in listed[split]]
    if missing := [reprlib.repr(name) for name in names if not isinstance(name, str) or name not in videos]:
        raise DataError(
            f"{path} names unknown videos: {', '.join(missing)}; there are: {', '.join(sorted(videos))} (quote numbers)"
        )
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"{path} lists {', '.join(twice)} more than once; a video belongs to one split")
    return {split: list(listed.get(split, [])) for split in SPLITS}


def _by_split(listed: Mapping[Split, list[str]], videos: Mapping[str, list[Frame]]) -> dict[Split, list[Frame]]:
    return {split: [frame for name in sorted(listed[split]) for frame in videos[name]] for split in SPLITS}


def _every_fifth(videos: Mapping[str, list[Frame]]) -> dict[Split, list[Frame]]:
    """Take every fifth video with masks, but at least one, for validation."""
    masked = [name for name, frames in videos.items() if any(frame.label for frame in frames)]
    val = masked[EVERY - 1 :: EVERY] or masked[-1:]
    train = list(videos.keys() - set(val))
    return _by_split({"train": train, "val": val, "test": []}, videos)


def _cut_single(frames: list[Frame]) -> dict[Split, list[Frame]]:
    """Cut one video: the first 80 % train, less a gap of 5 %, and the last 20 % validate."""
    cut = max(int(len(frames) * TRAIN_SHARE), 1)
    gap = int(len(frames) * GAP_SHARE)
    return {"train": frames[: cut - gap], "val": frames[cut:], "test": []}
