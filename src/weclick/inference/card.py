"""The description of an exported model that is stored inside it."""

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
"""Key of the card in ONNX ``metadata_props`` and in OpenVINO's ``rt_info``."""


@dataclass(frozen=True)
class Card:
    """Everything a program needs to know to run an exported model; stored inside it as JSON.

    Args:
        classes: Names, colours, thing or stuff.
        size: (H, W) of the images; the model takes no other.
        output: ``logits`` at the network's own stride, or ``labels`` at the images' size.
        format: As in ``weclick export --formats``.
        precision: Number format to run it in.
        run: Run it was exported from.
        checkpoint: File name of the checkpoint it was made from.
        sha256: First digits of that checkpoint's hash.
        parameters: Number of parameters that have an effect on the logits.
        miou: mIoU of this model on the data set's val split; None without masks.
        weclick: Version of weclick that made it.
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
            CheckpointError: It is not one that this version can read.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            height, width = map(int, fields["size"])
            card = cls(**{**fields, "classes": ClassSet.from_list(fields["classes"]), "size": (height, width)})
        except (ValueError, TypeError, KeyError, AttributeError, WeclickError) as error:
            raise CheckpointError(f"{source} has a description that this weclick cannot read ({error})") from None
        if card.output not in get_args(Output) or card.precision not in get_args(Precision):
            raise CheckpointError(
                f"{source} gives {card.output} in {card.precision}, which this weclick (version {version('weclick')}) "
                f"does not know; it was made by version {card.weclick}"
            )
        return card
