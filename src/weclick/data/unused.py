"""What of a data set is not learned from, each told in one line: videos set aside, clicks elsewhere, classes without a click."""

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
    """Say which videos are in val though nobody chose so and no mask makes val of use; None where none are."""
    val, path = layout.frames("val"), layout.root / SPLITS_FILE
    if layout.name != "folder" or path.exists() or not val or any(frame.label for frame in val):
        return None
    train = layout.frames("train")
    aside = list(dict.fromkeys(frame.key.video for frame in val))
    names = sorted({frame.key.video for frame in (*train, *val)})
    cut = f" after frame {train[-1].key.number}" if aside == names else ""
    return (
        f"set aside as val, which is of use only with masks: {_listed(aside)}{cut}; to train from all, write into "
        f"{path}: train: {_as_yaml(names)}"
    )


def left_out(
    layout: Layout, clicks: Mapping[FrameKey, Sequence[Click]], used: Mapping[FrameKey, Sequence[Click]]
) -> list[str]:
    """Say all of this, a line each: of what is in a click store, and of those of its clicks that are used."""
    clicked = {click.class_id for own in used.values() for click in own}
    told = (unused_validation(layout), clicks_elsewhere(layout, clicks), not_learned(layout.classes, clicked))
    return [line for line in told if line]


def _as_yaml(names: list[str]) -> str:
    text: str = yaml.safe_dump(names[:_MOST_NAMED], default_flow_style=True, allow_unicode=True, width=float("inf"))
    return text.strip() if len(names) <= _MOST_NAMED else f"{text.strip()[:-1]}, ...]"


def clicks_elsewhere(layout: Layout, clicks: Mapping[FrameKey, Sequence[Click]]) -> str | None:
    """Say how many clicks lie on frames that are not in train, and where; None where there are none."""
    homes: dict[FrameKey, Split] = {f.key: split for split in layout.splits() for f in layout.frames(split)}
    places: dict[str, Counter[str]] = {}
    for key, own in clicks.items():
        if (home := homes.get(key)) != "train":
            where = f"in {home}" if home else "on frames of no split"
            places.setdefault(where, Counter())[key.video] += len(own)
    told = [f"{found.total()} {where} ({_listed(list(found))})" for where, found in sorted(places.items())]
    if not told:
        return None
    hint = f"; {layout.root / SPLITS_FILE} says which videos train" if layout.name == "folder" else ""
    return f"clicks not trained from: {', '.join(told)}{hint}"


def not_learned(classes: ClassSet, clicked: Collection[int]) -> str | None:
    """Say which classes cannot be learned, as nothing of them is clicked, or of any other; None where all can.

    Args:
        classes: The data set's.
        clicked: Class ids of the clicks.
    """
    if len(classes) == 1:
        return f"{classes[0].name} is the only class: there is nothing to tell it from, and nothing will be learned"
    never = [name for class_id, name in enumerate(classes.names) if class_id not in clicked]
    return f"never clicked, so never learned: {_listed(never)}" if never else None


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
