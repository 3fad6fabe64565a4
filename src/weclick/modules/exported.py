"""An exported student in the place of a trained one, for evaluating and predicting."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import lightning.pytorch as pl

from weclick.inference.card import Card
from weclick.inference.exported import ExportedNetwork
from weclick.metrics import Scores, SegmentationScore
from weclick.modules.base import SegmentationModule


class ExportedModule(SegmentationModule):
    """Evaluates an exported model like the student it comes from; it cannot be trained.

    Args:
        network: The opened model; its only size is ``hparams["size"]``.
    """

    stage: ClassVar[str] = "student"
    network: ExportedNetwork  # type: ignore[assignment]

    def __init__(self, network: ExportedNetwork) -> None:
        pl.LightningModule.__init__(self)  # the base's own would build a network to train
        self.save_hyperparameters({"size": list(network.card.size)})
        self.classes = network.card.classes
        self.network = network
        self.score = SegmentationScore(len(self.classes))
        self.scores: Scores | None = None

    @property
    def card(self) -> Card:
        """What the model says about itself."""
        return self.network.card

    @classmethod
    def open(cls, path: Path) -> ExportedModule:
        """Open an exported file; see :meth:`weclick.inference.exported.ExportedNetwork.open`."""
        return cls(ExportedNetwork.open(path))
