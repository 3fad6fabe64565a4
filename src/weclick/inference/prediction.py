"""What a model predicts for a frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from weclick.classes import ClassSet
from weclick.errors import ConfigError
from weclick.inference.array_rules import Image, Maps
from weclick.inference.drawing import overlay


class Prediction:
    """A frame and its prediction.

    Attributes:
        image: The frame, RGB uint8 (H, W, 3).
        labels: Class ids, uint8 (H, W).
        classes: What the class ids mean.

    Example:
        >>> import numpy as np
        >>> from weclick.inference.torch_model import TorchModel
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
        self, image: Image, labels: Image, classes: ClassSet, probabilities: Callable[[], Maps] | None
    ) -> None:
        """Keep what computes the probabilities; they are computed only if they are asked for.

        Args:
            image: See the attributes, like the next two.
            labels: Class ids.
            classes: What they mean.
            probabilities: Returns them; None if the model gives labels alone.
        """
        self.image, self.labels, self.classes, self._probabilities = image, labels, classes, probabilities

    @cached_property
    def probabilities(self) -> Maps:
        """Class probabilities, float32 (C, H, W); the likeliest class of each pixel is its label.

        Raises:
            ConfigError: The model was exported with ``--labels`` and gives none.
        """
        if self._probabilities is None:
            raise ConfigError("this model was exported with --labels and gives no probabilities; export it without")
        return self._probabilities()

    def overlay(self, alpha: float = 0.5) -> Image:
        """Return the frame with its classes' colours over it, RGB uint8 (H, W, 3).

        Args:
            alpha: Strength of the colours, 0..1.
        """
        return overlay(self.image, self.labels, self.classes, alpha)
