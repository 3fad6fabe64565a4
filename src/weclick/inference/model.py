"""A trained network as it is used: one way from a checkpoint or an exported model to labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import cv2
import numpy as np

from weclick.classes import ClassSet
from weclick.conventions import Size
from weclick.errors import ShapeError
from weclick.images import resize_image
from weclick.inference.array_rules import (
    Image,
    Maps,
    class_ids,
    class_probabilities,
    fitted_size,
    resize_nearest,
    softmax,
)
from weclick.inference.checks import Stage
from weclick.inference.exported import ExportedNetwork
from weclick.inference.frames import USUAL_FPS
from weclick.inference.live import LiveSource
from weclick.inference.prediction import Prediction
from weclick.inference.sources import FrameFolder, VideoFile, open_source
from weclick.inference.stream import open_stream
from weclick.inference.writer import write_overlays

if TYPE_CHECKING:  # exported models need no torch
    import torch
    from torch import Tensor

Output = Any
"""What a network returns for a frame: a tensor; of an exported model, an array. Only its model knows how to read it."""


class Model(ABC):
    """A trained network that labels frames of any size; see :mod:`weclick.inference.rules`.

    Most callers need :meth:`predict` and :meth:`predict_video`, or :meth:`labels` alone. That is :meth:`prepare`, :meth:`run`
    and :meth:`finish`, which are for those who time them apart, or average over frames in between.

    Attributes:
        classes: What the class ids mean.
        stage: ``teacher`` or ``student``.
        size: (H, W) of the images it was trained at or exported for.
        device: Where it runs; of an exported model, the device's name.
        precision: Number format it runs in.
        parameters: Number of parameters that have an effect on the logits; None where it is not recorded.
        has_probabilities: False for a model that was exported with ``--labels``.
    """

    parameters: int | None
    device: torch.device | str
    has_probabilities = True

    def __init__(self, classes: ClassSet, stage: Stage, size: Size, precision: str) -> None:
        self.classes, self.stage, self.size, self.precision = classes, stage, size, precision

    @abstractmethod
    def input_size(self, frame: Size) -> Size:
        """Return the size (H, W) that a frame of a size is resized to."""

    @abstractmethod
    def run(self, image: Image) -> Output:
        """Run the network on one prepared image, and wait for it.

        Args:
            image: RGB uint8 (H, W, 3), of the size of the network's input.

        Returns:
            Logits (1, C, h, w); or class ids (1, H, W) where ``has_probabilities`` is False.
        """

    @abstractmethod
    def softmax(self, output: Output) -> Output:
        """Return the class probabilities (1, C, h, w) of the logits that :meth:`run` returned."""

    @abstractmethod
    def finish(self, output: Output, frame: Size) -> Image:
        """Return class ids uint8 (H, W) of a frame of a size, from what :meth:`run` returned or its probabilities."""

    @abstractmethod
    def finish_probabilities(self, output: Output, frame: Size) -> Maps:
        """Return class probabilities float32 (C, H, W) of a frame of a size, from the logits that :meth:`run` returned."""

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """Return float32 logits (B, C, h, w) of images as they are: RGB (B, 3, H, W) in 0..1, on the model's device."""

    def probabilities(self, images: Tensor) -> Tensor:
        """Return class probabilities (B, C, h, w), at the logits' stride; see :meth:`logits`."""
        return self.logits(images).softmax(1)

    def labels(self, image: Image) -> Image:
        """Segment a frame: RGB uint8 (H, W, 3) of any size to class ids uint8 (H, W)."""
        return self.finish(self.run(self.prepare(image)), (image.shape[0], image.shape[1]))

    def predict(self, image: Image) -> Prediction:
        """Segment a frame.

        Args:
            image: RGB uint8 (H, W, 3) of any size.

        Raises:
            ShapeError: The frame is of another type or shape.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ShapeError(f"a frame must be RGB, uint8 (H, W, 3), found {image.dtype} {image.shape}")
        output, frame = self.run(self.prepare(image)), (image.shape[0], image.shape[1])
        probabilities = partial(self.finish_probabilities, output, frame) if self.has_probabilities else None
        return Prediction(image, self.finish(output, frame), self.classes, probabilities)

    @overload
    def predict_video(self, source: str | PathLike[str], write: None = None) -> Iterator[Prediction]: ...

    @overload
    def predict_video(self, source: str | PathLike[str], write: str | PathLike[str]) -> Path: ...

    def predict_video(
        self, source: str | PathLike[str], write: str | PathLike[str] | None = None
    ) -> Iterator[Prediction] | Path:
        """Segment the frames of a video file, a folder of images or ``camera:N``, one after the other.

        Args:
            source: Path, ``camera:N``, or an address: ``rtsp://...``, ``http://...``.
            write: Video file (.mp4) to write with the classes' colours over the frames; an existing file is replaced.

        Returns:
            An iterator over the results, which holds a few frames at a time; or the path of the written video.

        Raises:
            DataError: The source cannot be read, or the video not be written.

        Example:
            Count the pixels of a class in each frame::

                model = weclick.load("runs/first")
                car = model.classes.names.index("car")
                for result in model.predict_video("drive.mp4"):
                    print((result.labels == car).sum())
                model.predict_video("drive.mp4", write="drive-overlay.mp4")
        """
        frames = open_source(source if isinstance(source, str) else Path(source))
        results = self._predictions(frames)
        return results if write is None else write_overlays(results, Path(write), frames.fps or USUAL_FPS)

    def _predictions(self, frames: VideoFile | FrameFolder | LiveSource) -> Iterator[Prediction]:
        with open_stream(frames, {}) as stream:
            for _, frame in stream:
                yield self.predict(frame.image)

    def prepare(self, image: Image) -> Image:
        """Bring a frame to the size of the network's input."""
        return resize_image(image, self.input_size((image.shape[0], image.shape[1])))


class ExportedModel(Model):
    """An exported model; it takes one size, which the largest fitting size of a frame is padded to.

    Args:
        network: The opened file.
    """

    def __init__(self, network: ExportedNetwork) -> None:
        card = network.card
        super().__init__(card.classes, "student", card.size, network.precision)
        self.network, self.card, self.parameters = network, card, card.parameters
        self.device: str = network.device
        self.has_probabilities = card.output == "logits"

    def input_size(self, frame: Size) -> Size:
        """Return the largest size of the frame's shape that fits."""
        return fitted_size(frame, self.size)

    def prepare(self, image: Image) -> Image:
        """Bring a frame into the upper left of the network's input, its border repeated beyond."""
        small = super().prepare(image)
        below, right = self.size[0] - small.shape[0], self.size[1] - small.shape[1]
        return np.asarray(cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)

    def run(self, image: Image) -> Output:
        """Run the model on one prepared image."""
        return self.network.run(image)

    def softmax(self, output: Output) -> Output:
        """Return the class probabilities of logits."""
        return softmax(output)

    def finish(self, output: Output, frame: Size) -> Image:
        """Return class ids of a frame of a size."""
        height, width = self.input_size(frame)
        ids = output[0] if output.ndim == 3 else class_ids(output[0], self.size)
        return resize_nearest(ids[:height, :width], frame)

    def finish_probabilities(self, output: Output, frame: Size) -> Maps:
        """Return class probabilities of a frame of a size."""
        return class_probabilities(output[0], self.input_size(frame), self.size, frame)

    def logits(self, images: Tensor) -> Tensor:
        """Return logits (B, C, h, w); of a model that gives labels, these as 0 and 1, at full size.

        Images of another shape than the model takes are fitted into its size, and get logits at the size that they have there.
        """
        import torch  # the caller has tensors; labelling frames does without
        from torch.nn import functional as F

        pixels = (images.detach().float() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        outputs = torch.from_numpy(np.concatenate([self.run(self.prepare(image)) for image in pixels])).to(
            images.device
        )
        if not self.has_probabilities:
            outputs = F.one_hot(outputs.long(), len(self.classes)).permute(0, 3, 1, 2).float()
        height, width = self.input_size((images.shape[-2], images.shape[-1]))
        if (height, width) == self.size:
            return outputs
        return F.interpolate(outputs, self.size, mode="bilinear", align_corners=False)[:, :, :height, :width]
