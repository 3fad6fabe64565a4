"""The model card of a published model: ``README.md`` with a YAML front matter, as model hubs read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from weclick.classes import ClassSet
from weclick.conventions import Size
from weclick.files import write_text
from weclick.inference.published import UNSTATED_LICENCE
from weclick.modules.arms import ARMS, ArmName
from weclick.reporting.tables import MISSING, percent, to_markdown


@dataclass(frozen=True)
class ClickFacts:
    """What a network was trained from.

    Args:
        clicks: Number of clicks.
        frames: Number of frames with clicks or an accepted label.
        labels: Number of accepted labels.
        simulated: Whether they were made from masks, not by people.
        seconds: Time people spent; None where it was not measured.
    """

    clicks: int
    frames: int
    labels: int
    simulated: bool
    seconds: float | None


@dataclass(frozen=True)
class ModelCard:
    """Everything a card states.

    Args:
        name: Of the model.
        classes: Names and colours.
        licence: As hubs spell it, such as ``apache-2.0``.
        network: Network and encoder.
        imagenet: Whether its training started from ImageNet weights.
        outside: Class of a network that is not part of weclick.
        size: (H, W) of the images it was trained at.
        parameters: Number of parameters that have an effect.
        arm: Arm of the method.
        data: Name of the data set.
        frames: Number of its training frames; None where the data set is not there.
        clicks: What it was trained from; None for masks.
        test: ``metrics.json`` of its test; None if there was none.
        checkpoint: Name of the checkpoint that is published.
        exported: How each exported file compares with the network, by name.
        version: Of weclick.
    """

    name: str
    classes: ClassSet
    licence: str
    network: str
    imagenet: bool
    outside: str | None
    size: Size
    parameters: int
    arm: ArmName
    data: str
    frames: int | None
    clicks: ClickFacts | None
    test: Mapping[str, Any] | None
    checkpoint: str
    exported: Mapping[str, str]
    version: str


def write_model_card(path: Path, card: ModelCard) -> None:
    """Write the card as Markdown."""
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(percent=_percent, code=_code, minutes=_minutes)
    source = resources.files("weclick.reporting").joinpath("model_card.md.j2").read_text(encoding="utf-8")
    tested = Path(card.test["evaluated"]["checkpoint"]).name if card.test else None
    text = environment.from_string(source).render(
        card=card,
        front_matter=_front_matter(card),
        classes=_class_table(card),
        arm=ARMS[card.arm].summary,
        tested=tested,
        unstated=UNSTATED_LICENCE,
    )
    write_text(path, text)


def _front_matter(card: ModelCard) -> str:
    entries = {
        "license": card.licence,
        "library_name": "weclick",
        "pipeline_tag": "image-segmentation",
        "tags": ["semantic-segmentation", "video", "weak-supervision", "onnx"],
        "classes": list(card.classes.names),
    }
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)


def _class_table(card: ModelCard) -> str:
    lines = [
        {"class": _code(entry.name), "id": str(index), "colour (RGB)": ", ".join(map(str, entry.color))}
        for index, entry in enumerate(card.classes)
    ]
    if card.test:
        title, scores = (
            ("right clicks %", "class_accuracy") if card.test["measured_with"] == "clicks" else ("IoU %", "iou")
        )
        lines = [
            line | {title: _percent(card.test[scores][entry.name])}
            for line, entry in zip(lines, card.classes, strict=True)
        ]
    return to_markdown(lines)


def _code(text: str) -> str:
    """Return a name of a stranger's as code, in which Markdown and HTML mean nothing."""
    return f"`{''.join(letter if letter.isprintable() else '?' for letter in text).replace('`', chr(39))}`"


def _percent(value: float | None) -> str:
    return MISSING if value is None else percent(value)


def _minutes(seconds: float) -> str:
    return f"about {round(seconds / 60)} minutes" if seconds >= 90 else f"about {max(1, round(seconds))} seconds"
