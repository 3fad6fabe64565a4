"""Segmenting the frames of a video one after the other: timed by stage, and averaged over frames."""

from __future__ import annotations

from weclick.conventions import Size
from weclick.errors import ConfigError
from weclick.inference.array_rules import Image
from weclick.inference.model import Model, Output
from weclick.inference.stream import timed


class Smoother:
    """Averages class probabilities over successive frames, so that labels flicker less.

    ``p_t = decay * p_{t-1} + (1 - decay) * softmax(logits_t)``. There is no motion compensation: what moves quickly
    leaves a trail, the longer the nearer ``decay`` is to 1. A frame of another size starts afresh.

    Args:
        decay: Share of the earlier frames, 0 or more and below 1.

    Raises:
        ConfigError: ``decay`` is out of its range.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"smooth must be 0 or more and below 1, found {decay:g}")
        self._decay = decay
        self._size: Size | None = None
        self._average: Output

    def __call__(self, probabilities: Output, size: Size) -> Output:
        """Return the average of the probabilities (1, C, h, w) of a frame of ``size`` and those before it."""
        if size == self._size:
            probabilities = probabilities + self._decay * (self._average - probabilities)
        self._size, self._average = size, probabilities
        return probabilities


class Segmenter:
    """Labels frames like :meth:`~weclick.inference.model.Model.labels`, with times and, if wanted, averages.

    ``seconds`` holds the time spent so far on preparing frames, in the network, and on labels of the frames' size.

    Args:
        model: What labels them.
        smooth: Decay of the average over frames, see :class:`Smoother`; 0 leaves every frame as it is.

    Raises:
        ConfigError: ``smooth`` is out of its range, or the model gives no probabilities to average.
    """

    def __init__(self, model: Model, smooth: float = 0.0) -> None:
        self.seconds: dict[str, float] = {}
        self._model = model
        self._smoother = Smoother(smooth) if smooth else None
        if self._smoother and not model.has_probabilities:
            raise ConfigError(
                "smooth needs probabilities, but this model was exported with --labels; export it without"
            )

    def __call__(self, image: Image) -> Image:
        """Return class ids uint8 (H, W) of a frame, RGB uint8 (H, W, 3)."""
        frame = (image.shape[0], image.shape[1])
        with timed(self.seconds, "prepare"):
            prepared = self._model.prepare(image)
        with timed(self.seconds, "network"):
            output = self._model.run(prepared)
        with timed(self.seconds, "post"):
            if self._smoother:
                output = self._smoother(self._model.softmax(output), frame)
            return self._model.finish(output, frame)
