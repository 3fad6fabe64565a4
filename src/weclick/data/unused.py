"""Messages about what is not used: files, clicks outside of train, classes without clicks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from weclick.classes import ClassSet
from weclick.clicks import Click
from weclick.data.index import FrameKey, Layout, Split
from weclick.data.layouts.folder import SPLITS_FILE
from weclick.data.layouts.listed import ListedLayout
from weclick.files import walk

_MOST_NAMED: Final = 20

_BY_VIDEO: Final = ("frames", "masks", "instances")
"""Folders whose files lie in a folder for each video."""

_NO_SPLIT: Final = "in no split"


def unused_files(layout: Layout, *, read: bool = True) -> list[str]:
    """Return a line for each group of files in the data set's folders that are not used: number, place, why.

    Args:
        layout: The data set; of a layout from outside, nothing is known about its folders.
        read: Include the files that could be read, but are in no split.
    """
    if not isinstance(layout, ListedLayout):
        return []
    frames = (frame for split in layout.splits() for frame in layout.frames(split))
    used = {path for frame in frames for path in (frame.image, frame.label, frame.instances)}
    groups: dict[tuple[Path, str, str], list[str]] = {}
    for top in layout.reads:
        for inside, folder, names in walk(layout.root / top):
            for path in (folder / name for name in names if not layout.companions.fullmatch(name)):
                if path not in used and not layout.needs_file(path):
                    key = (folder, path.suffix.lower() or "other", _reason(path, top, inside, layout))
                    groups.setdefault(key, []).append(path.name)
    return [
        f"not used: {len(names)} {suffix} files in {folder}, such as {names[0]} ({why})"
        for (folder, suffix, why), names in groups.items()
        if read or why != _NO_SPLIT
    ]


def _reason(path: Path, top: str, inside: str, layout: ListedLayout) -> str:
    """Return why a file is not used, which lies in the folder ``top`` of the root, in the path ``inside`` of that."""
    if path.suffix.lower() not in layout.reads[top]:
        return f"read are {' '.join(layout.reads[top])}"
    return _NO_SPLIT if inside or top not in _BY_VIDEO else "in no folder of a video"


def unused_messages(
    layout: Layout, clicks: Mapping[FrameKey, Sequence[Click]], used: Mapping[FrameKey, Sequence[Click]]
) -> list[str]:
    """Return all messages of this module.

    Args:
        layout: The data set.
        clicks: All clicks of the store.
        used: The clicks that are trained from.
    """
    clicked = {click.class_id for own in used.values() for click in own}
    messages = (unused_clicks(layout, clicks), unused_classes(layout.classes, clicked))
    return [*unused_data(layout), *(message for message in messages if message)]


def unused_data(layout: Layout) -> list[str]:
    """Return the messages about files: what to say whenever a data set is opened to work with it."""
    return unused_files(layout, read=False)[:_MOST_NAMED]


def unused_clicks(layout: Layout, clicks: Mapping[FrameKey, Sequence[Click]]) -> str | None:
    """Return a message with the number of clicks on frames outside of train, by place; None where there are none."""
    splits: dict[FrameKey, Split] = {f.key: split for split in layout.splits() for f in layout.frames(split)}
    places: dict[str, Counter[str]] = {}
    for key, own in clicks.items():
        if (split := splits.get(key)) != "train":
            place = f"in {split}" if split else "on frames of no split"
            places.setdefault(place, Counter())[key.video] += len(own)
    if not places:
        return None
    counts = [f"{videos.total()} {place} ({first_names(list(videos))})" for place, videos in sorted(places.items())]
    hint = f"; {layout.root / SPLITS_FILE} lists the videos to train from" if layout.name == "folder" else ""
    return f"clicks not trained from: {', '.join(counts)}{hint}"


def unused_classes(classes: ClassSet, clicked: Collection[int]) -> str | None:
    """Return a message about classes that cannot be learned, for lack of clicks or of a second class; None where all can.

    Args:
        classes: Classes of the data set.
        clicked: Class ids of the clicks.
    """
    if len(classes) == 1:
        return f"{classes[0].name} is the only class: without a second one to separate it from, nothing will be learned"
    never = [name for class_id, name in enumerate(classes.names) if class_id not in clicked]
    return f"never clicked, so never learned: {first_names(never)}" if never else None


def first_names(names: Sequence[str]) -> str:
    """Return the first names in one line, and the number of the others."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
