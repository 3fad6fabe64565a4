"""From a checkpoint to the function that segments single frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from weclick.classes import ClassSet
from weclick.data.samples import resize_image
from weclick.errors import ConfigError
from weclick.inference.drawing import lay_over, legend, overlay
from weclick.inference.predict import Summary, predict
from weclick.inference.stream import timed
from weclick.inference.tensors import image_batch
from weclick.metrics import labels_at
from weclick.modules import ExportedModule, SegmentationModule, load_checkpoint
from weclick.pipeline.training import frozen

Image = NDArray[np.uint8]
Size = tuple[int, int]

# share of a picture that makes a class worth a line in the legend: single wrong pixels are none
_WORTH_NAMING: Final = 0.001


def predict_with(
    checkpoint: Path,
    source: str,
    out: Path,
    *,
    overlays: bool = True,
    labels: bool = True,
    max_frames: int | None = None,
    stride: int = 1,
    alpha: float = 0.5,
    legends: bool = True,
    realtime: bool = False,
    smooth: float = 0.0,
) -> Summary:
    """Segment a source with a checkpoint; see :func:`weclick.inference.predict.predict`.

    Args:
        checkpoint: Checkpoint, or exported model.
        source: Path, or ``camera:N``.
        out: Folder for the results.
        overlays: Write the overlay.
        labels: Write label PNGs.
        max_frames: Stop after so many predicted frames.
        stride: Predict every so many-th frame.
        alpha: Strength of the overlay's colours, 0..1.
        legends: Name the classes seen so far in a corner of the overlay.
        realtime: Treat the source as live.
        smooth: See :class:`Smoother`; 0 leaves every frame as it is.

    Raises:
        ConfigError: ``alpha`` or ``smooth`` is out of its range, or the model gives no probabilities to smooth.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha must be 0 to 1, found {alpha:g}")
    smoother = Smoother(smooth) if smooth else None
    module = load_checkpoint(checkpoint)
    return predict(
        source,
        segmenter(module, smoother),
        module.classes,
        out,
        draw=Painter(module.classes, alpha, legends=legends) if overlays else None,
        labels=labels,
        max_frames=max_frames,
        stride=stride,
        realtime=realtime,
    )


class Smoother:
    """Averages class probabilities over successive frames, so that labels flicker less.

    ``p_t = decay * p_{t-1} + (1 - decay) * softmax(logits_t)``. There is no motion compensation: what moves quickly
    leaves a trail, the longer the nearer ``decay`` is to 1. A frame of another size starts anew.

    Args:
        decay: Share of the frames before, 0 or more and below 1.

    Raises:
        ConfigError: ``decay`` is out of its range.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"smooth must be 0 or more and below 1, found {decay:g}")
        self._decay = decay
        self._size: Size | None = None
        self._average: Tensor

    def __call__(self, logits: Tensor, size: Size) -> Tensor:
        """Return the averaged probabilities of a frame of ``size``, like its logits (1, C, h, w)."""
        probabilities = logits.float().softmax(1)
        if size == self._size:
            probabilities = torch.lerp(probabilities, self._average, self._decay)
        self._size, self._average = size, probabilities
        return probabilities


def segmenter(module: SegmentationModule, smoother: Smoother | None = None) -> Segmenter:
    """Return a function from an RGB frame (H, W, 3) to class ids (H, W), at the scale the network was trained at.

    An exported model runs at its one size; a frame of another shape lies in its upper left, its border repeated beyond.

    Raises:
        ConfigError: A ``smoother`` for an exported model that gives labels.
    """
    if isinstance(module, ExportedModule):
        if smoother and module.card.output == "labels":
            raise ConfigError(
                "smooth needs probabilities, but this model was exported with --labels; export it without"
            )
        run, size = module.network.run, module.card.size
        return Segmenter(lambda image: torch.from_numpy(run(image)), partial(fitted_size, room=size), smoother, size)
    device = Fabric(accelerator="auto", devices=1).device
    network = frozen(module, device)
    trained = (int(module.hparams["size"][0]), int(module.hparams["size"][1]))

    def logits(image: Image) -> Tensor:
        found: Tensor = network(image_batch(image, device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # else the network's time would be counted where its result is read
        return found

    return Segmenter(logits, partial(working_size, trained=trained), smoother)


class Segmenter:
    """From an RGB frame (H, W, 3) to class ids (H, W); ``seconds`` tells how long preparing, network and the rest took.

    Args:
        network: From a resized frame to logits (1, C, h, w) or class ids (1, H, W).
        size: From the frame's size to that it is resized to.
        smoother: Averages over frames.
        room: Size the network takes, where it takes only one; the resized frame is filled up to it.
    """

    def __init__(
        self,
        network: Callable[[Image], Tensor],
        size: Callable[[Size], Size],
        smoother: Smoother | None,
        room: Size | None = None,
    ) -> None:
        self.seconds: dict[str, float] = {}
        self._network, self._size, self._smoother, self._room = network, size, smoother, room

    @torch.inference_mode()
    def __call__(self, image: Image) -> Image:
        """Segment one frame."""
        frame = (image.shape[0], image.shape[1])
        size = self._size(frame)
        with timed(self.seconds, "prepare"):
            small = resize_image(image, size)
            room = self._room or size
            if room != size:
                beyond = (room[0] - size[0], room[1] - size[1])
                small = cv2.copyMakeBorder(small, 0, beyond[0], 0, beyond[1], cv2.BORDER_REPLICATE).astype(np.uint8)
        with timed(self.seconds, "network"):
            found = self._network(small)
        with timed(self.seconds, "post"):
            if found.ndim == 4:
                found = labels_at(self._smoother(found, frame) if self._smoother else found, room)
            labels = found[0].to(torch.uint8).cpu().numpy()[: size[0], : size[1]]
            # Enlarging ids instead of logits: at the frame's size the argmax would take longer than the network.
            return cv2.resize(labels, frame[::-1], interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)


def working_size(size: tuple[int, int], trained: tuple[int, int]) -> tuple[int, int]:
    """Return the size to run a frame of ``size`` at: its own shape, with as many pixels as in training."""
    scale = (trained[0] * trained[1] / (size[0] * size[1])) ** 0.5
    return (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def fitted_size(size: Size, room: Size) -> Size:
    """Return the largest size of the shape of ``size`` that fits into ``room``."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return (max(1, min(room[0], round(size[0] * scale))), max(1, min(room[1], round(size[1] * scale))))


class Painter:
    """Draws labels onto frames, and in a corner the names of the classes seen so far.

    Args:
        classes: Names and colours.
        alpha: Strength of the colours, 0..1.
        legends: Draw the names.
    """

    def __init__(self, classes: ClassSet, alpha: float, *, legends: bool = True) -> None:
        self._classes, self._alpha, self._legends = classes, alpha, legends
        self._seen: frozenset[int] = frozenset()
        self._drawn: tuple[frozenset[int], Size] | None = None
        self._box: np.ndarray

    def __call__(self, image: Image, labels: Image) -> Image:
        """Return the frame with its classes' colours over it."""
        drawn: Image = overlay(image, labels, self._classes, self._alpha)
        if self._legends:
            self._notice(labels)
            if self._seen:
                self._name_classes(drawn)
        return drawn

    def _notice(self, labels: Image) -> None:
        some = labels[::4, ::4].ravel()  # every fourth row and column is enough
        shares = np.bincount(some, minlength=len(self._classes))[: len(self._classes)] / some.size
        self._seen |= set(np.flatnonzero(shares >= _WORTH_NAMING).tolist())

    def _name_classes(self, drawn: Image) -> None:
        size = (drawn.shape[0], drawn.shape[1])
        if self._drawn != (self._seen, size):
            self._box = legend([self._classes[index] for index in sorted(self._seen)], size)
            self._drawn = (self._seen, size)
        lay_over(drawn, self._box)
