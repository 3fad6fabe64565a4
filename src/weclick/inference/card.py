"""What an exported model says about itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Final, Literal, get_args

from weclick.classes import ClassSet
from weclick.errors import CheckpointError, WeclickError

Output = Literal["logits", "labels"]
Precision = Literal["fp32", "bf16", "int8"]

KEY: Final = "weclick"
"""Under this key the card lies in ONNX ``metadata_props``, and in OpenVINO's ``rt_info``."""


@dataclass(frozen=True)
class Card:
    """Everything a program needs to know to run an exported model; stored inside it as JSON.

    Args:
        classes: Names, colours, thing or stuff.
        size: (H, W) of the images, the only one the model takes.
        output: ``logits`` at the network's own stride, or ``labels`` at the images' size.
        format: As in ``weclick export --formats``.
        precision: Number format it is to run in.
        run: Run it comes from.
        checkpoint: File name of the checkpoint it was made of.
        sha256: First digits of that checkpoint's hash.
        parameters: Number of parameters of the network.
        miou: On the data set's val split, as measured with this model; None where there were no masks.
        weclick: Version that made it.
    """

    classes: ClassSet
    size: tuple[int, int]
    output: Output = "logits"
    format: str = "onnx"
    precision: Precision = "fp32"
    run: str | None = None
    checkpoint: str | None = None
    sha256: str | None = None
    parameters: int | None = None
    miou: float | None = None
    weclick: str = field(default_factory=lambda: version("weclick"))

    def to_json(self) -> str:
        """Return the card as one line of ASCII."""
        return json.dumps({**asdict(self), "classes": self.classes.to_list(), "size": list(self.size)})

    @classmethod
    def from_json(cls, text: str, source: str = "model") -> Card:
        """Read a card.

        Raises:
            CheckpointError: It is none of ours.
        """
        try:
            found: dict[str, Any] = json.loads(text)
            height, width = found["size"]
            card = cls(**{**found, "classes": ClassSet.from_list(found["classes"]), "size": (int(height), int(width))})
        except (ValueError, TypeError, KeyError, AttributeError, WeclickError) as error:
            raise CheckpointError(f"{source} describes itself in a way this weclick cannot read ({error})") from None
        if card.output not in get_args(Output) or card.precision not in get_args(Precision):
            raise CheckpointError(
                f"{source} gives {card.output} in {card.precision}, which this weclick (version {version('weclick')}) "
                f"does not know; it was made by version {card.weclick}"
            )
        return card
