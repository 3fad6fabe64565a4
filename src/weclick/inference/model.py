"""A trained network as it is used: one way from a checkpoint or an exported model to labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Literal, overload

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weclick.classes import ClassSet
from weclick.conventions import Size
from weclick.errors import ShapeError
from weclick.images import resize_image
from weclick.inference.checkpoint import (
    Stage,
)
from weclick.inference.exported import ExportedNetwork
from weclick.inference.parameters import live_parameters
from weclick.inference.prediction import Prediction
from weclick.inference.rules import (
    Image,
    choose_precision,
    class_ids,
    default_device,
    fitted_size,
    image_batch,
    resize_ids,
    trained_size,
)
from weclick.inference.sources import USUAL_FPS, Camera, FrameFolder, VideoFile, open_source
from weclick.inference.stream import open_stream
from weclick.inference.writer import write_overlays


class Model(ABC):
    """A trained network that labels frames of any size; see :mod:`weclick.inference.rules`.

    Most callers need :meth:`predict` and :meth:`predict_video`, or :meth:`labels` alone. That is :meth:`prepare`, :meth:`run`
    and :meth:`finish`, which are for those who time them apart, or average over frames in between.

    Attributes:
        classes: What the class ids mean.
        stage: ``teacher`` or ``student``.
        size: (H, W) of the images it was trained at or exported for.
        device: Where it runs.
        precision: Number format it runs in.
        parameters: Number of parameters that have an effect on the logits; None where it is not recorded.
        has_probabilities: False for a model that was exported with ``--labels``.
    """

    parameters: int | None
    has_probabilities = True

    def __init__(self, classes: ClassSet, stage: Stage, size: Size, device: torch.device, precision: str) -> None:
        self.classes, self.stage, self.size = classes, stage, size
        self.device, self.precision = device, precision

    @abstractmethod
    def input_size(self, frame: Size) -> Size:
        """Return the size (H, W) that a frame of a size is resized to."""

    @abstractmethod
    def run(self, image: Image) -> Tensor:
        """Run the network on one prepared image, and wait for it.

        Args:
            image: RGB uint8 (H, W, 3), of the size of the network's input.

        Returns:
            Logits (1, C, h, w); or class ids (1, H, W) where ``has_probabilities`` is False.
        """

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
        return Prediction(
            image,
            self.finish(output, frame),
            self.classes,
            logits=output if self.has_probabilities else None,
            inside=self.input_size(frame),
            filled=self._filled_size(frame),
        )

    @overload
    def predict_video(self, source: str | PathLike[str], write: None = None) -> Iterator[Prediction]: ...

    @overload
    def predict_video(self, source: str | PathLike[str], write: str | PathLike[str]) -> Path: ...

    def predict_video(
        self, source: str | PathLike[str], write: str | PathLike[str] | None = None
    ) -> Iterator[Prediction] | Path:
        """Segment the frames of a video file, a folder of images or ``camera:N``, one after the other.

        Args:
            source: Path, or ``camera:N``.
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

    def _predictions(self, frames: VideoFile | FrameFolder | Camera) -> Iterator[Prediction]:
        with open_stream(frames, {}) as stream:
            for _, frame in stream:
                yield self.predict(frame.image)

    def prepare(self, image: Image) -> Image:
        """Bring a frame to the size of the network's input."""
        return resize_image(image, self.input_size((image.shape[0], image.shape[1])))

    @torch.inference_mode()
    def finish(self, output: Tensor, frame: Size) -> Image:
        """Return class ids uint8 (H, W) of a frame of a size, from what :meth:`run` returned or its probabilities."""
        height, width = self.input_size(frame)
        ids = output if output.ndim == 3 else class_ids(output, self._filled_size(frame))
        labels: Image = resize_ids(ids[:, :height, :width].to(torch.uint8), frame)[0].cpu().numpy()
        return labels

    def _filled_size(self, frame: Size) -> Size:
        """Return the size of the network's input, with what is added around a frame."""
        return self.input_size(frame)


class TorchModel(Model):
    """A network in PyTorch, at any size of its input.

    Args:
        network: RGB images (B, 3, H, W) in 0..1 to logits (B, C, h, w); moved to the device and frozen.
        classes: What the class ids mean.
        stage: ``teacher`` or ``student``.
        size: (H, W) it was trained at; frames are run at as many pixels.
        device: By default see :func:`~weclick.inference.rules.default_device`.
        precision: ``auto``: see :func:`~weclick.inference.rules.choose_precision`.
        name: Network and encoder.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: ClassSet,
        stage: Stage,
        size: Size,
        *,
        device: torch.device | str | None = None,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        name: str = "",
    ) -> None:
        place = default_device() if device is None else torch.device(device)
        super().__init__(classes, stage, size, place, choose_precision(precision, place))
        self.network, self.name = network.to(place).eval().requires_grad_(False), name

    @cached_property
    def parameters(self) -> int:  # type: ignore[override]
        """Number of parameters that have an effect on the logits."""
        return live_parameters(self.network)

    def input_size(self, frame: Size) -> Size:
        """Return the frame's own shape with as many pixels as in training."""
        return trained_size(frame, self.size)

    def run(self, image: Image) -> Tensor:
        """Run the network on one prepared image, and wait for it."""
        logits = self.logits(image_batch(image, self.device))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # else its time would be counted where the result is read
        return logits

    @torch.inference_mode()
    def logits(self, images: Tensor) -> Tensor:
        """Return float32 logits (B, C, h, w) of images as they are."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits: Tensor = self.network(images)
        return logits.float()


class ExportedModel(Model):
    """An exported model; it takes one size, which the largest fitting size of a frame is padded to.

    Args:
        network: The opened file.
    """

    def __init__(self, network: ExportedNetwork) -> None:
        card = network.card
        super().__init__(card.classes, "student", card.size, network.device, network.precision)
        self.network, self.card, self.parameters = network, card, card.parameters
        self.has_probabilities = card.output == "logits"

    def input_size(self, frame: Size) -> Size:
        """Return the largest size of the frame's shape that fits."""
        return fitted_size(frame, self.size)

    def prepare(self, image: Image) -> Image:
        """Bring a frame into the upper left of the network's input, its border repeated beyond."""
        small = super().prepare(image)
        below, right = self.size[0] - small.shape[0], self.size[1] - small.shape[1]
        return np.asarray(cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)

    def run(self, image: Image) -> Tensor:
        """Run the model on one prepared image."""
        return torch.from_numpy(self.network.run(image))

    def logits(self, images: Tensor) -> Tensor:
        """Return logits (B, C, h, w); of a model that gives labels, these as 0 and 1, at full size.

        Images of another shape than the model takes are fitted into its size, and get logits at the size that they have there.
        """
        pixels = (images.detach().float() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        outputs = torch.cat([self.run(self.prepare(image)) for image in pixels]).to(images.device)
        if not self.has_probabilities:
            outputs = F.one_hot(outputs.long(), len(self.classes)).permute(0, 3, 1, 2).float()
        height, width = self.input_size((images.shape[-2], images.shape[-1]))
        if (height, width) == self.size:
            return outputs
        return F.interpolate(outputs, self.size, mode="bilinear", align_corners=False)[:, :, :height, :width]

    def _filled_size(self, frame: Size) -> Size:
        return self.size
