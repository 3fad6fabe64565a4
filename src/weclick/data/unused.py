"""Messages about what a training does not use: videos kept for val, clicks outside of train, classes without clicks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import yaml

from weclick.classes import ClassSet
from weclick.clicks import Click
from weclick.data.index import FrameKey, Layout, Split
from weclick.data.layouts.folder import SPLITS_FILE

_MOST_NAMED: Final = 20


def unused_validation(layout: Layout) -> str | None:
    """Return a message about videos that are in val by default but have no masks to validate with; None without such."""
    val, path = layout.frames("val"), layout.root / SPLITS_FILE
    if layout.name != "folder" or path.exists() or not val or any(frame.label for frame in val):
        return None
    train = layout.frames("train")
    unused = list(dict.fromkeys(frame.key.video for frame in val))
    names = sorted({frame.key.video for frame in (*train, *val)})
    cut = f" after frame {train[-1].key.number}" if unused == names else ""  # the only video is cut into train and val
    return (
        f"kept for validation, which works only with masks: {_listed(unused)}{cut}; to train from all, write into "
        f"{path}: train: {_as_yaml(names)}"
    )


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
    messages = (unused_validation(layout), unused_clicks(layout, clicks), unused_classes(layout.classes, clicked))
    return [message for message in messages if message]


def _as_yaml(names: list[str]) -> str:
    text: str = yaml.safe_dump(names[:_MOST_NAMED], default_flow_style=True, allow_unicode=True, width=float("inf"))
    return text.strip() if len(names) <= _MOST_NAMED else f"{text.strip()[:-1]}, ...]"


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
    counts = [f"{videos.total()} {place} ({_listed(list(videos))})" for place, videos in sorted(places.items())]
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
    return f"never clicked, so never learned: {_listed(never)}" if never else None


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
