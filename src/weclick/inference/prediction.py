"""What a model predicts for a frame."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from weclick.classes import ClassSet
from weclick.conventions import Size
from weclick.errors import ConfigError
from weclick.inference.drawing import overlay
from weclick.inference.rules import Image, class_probabilities


class Prediction:
    """A frame and its prediction.

    Attributes:
        image: The frame, RGB uint8 (H, W, 3).
        labels: Class ids, uint8 (H, W).
        classes: What the class ids mean.

    Example:
        >>> from weclick.inference.model import TorchModel
        >>> from weclick.models.factory import make_network
        >>> from weclick.models.options import NetworkOptions
        >>> network = make_network(NetworkOptions("light", weights="none", width=8), 2)
        >>> classes = ClassSet.from_list([{"name": "road"}, {"name": "car"}])
        >>> model = TorchModel(network, classes, "student", (64, 96))  # or weclick.load("runs/NAME")
        >>> result = model.predict(np.zeros((120, 160, 3), np.uint8))
        >>> result.labels.shape, result.probabilities.shape, result.overlay().shape
        ((120, 160), (2, 120, 160), (120, 160, 3))
    """

    def __init__(
        self, image: Image, labels: Image, classes: ClassSet, *, logits: Tensor | None, inside: Size, filled: Size
    ) -> None:
        """Keep the logits (1, C, h, w), from which probabilities are computed only if they are asked for.

        Args:
            image: See the attributes, like the next two.
            labels: Class ids.
            classes: What they mean.
            logits: None if the model gives labels alone.
            inside: Size of the frame in the network's input.
            filled: Size of the input, with what is added around the frame.
        """
        self.image, self.labels, self.classes = image, labels, classes
        self._logits, self._inside, self._filled = logits, inside, filled

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Class probabilities, float32 (C, H, W); the likeliest class of each pixel is its label.

        Raises:
            ConfigError: The model was exported with ``--labels`` and gives none.
        """
        if self._logits is None:
            raise ConfigError("this model was exported with --labels and gives no probabilities; export it without")
        maps = class_probabilities(self._logits, self._inside, self._filled, self.labels.shape)
        return np.asarray(maps.cpu().numpy(), np.float32)

    def overlay(self, alpha: float = 0.5) -> Image:
        """Return the frame with its classes' colours over it, RGB uint8 (H, W, 3).

        Args:
            alpha: Strength of the colours, 0..1.
        """
        return overlay(self.image, self.labels, self.classes, alpha)
