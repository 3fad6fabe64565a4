"""A network in PyTorch as a :class:`~weclick.inference.model.Model`, opened from a checkpoint."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from weclick.classes import ClassSet
from weclick.conventions import Size
from weclick.extensions import part_name
from weclick.inference.array_rules import Image, Maps
from weclick.inference.checkpoint import STAGE_KEY, build_network, read_checkpoint, saved_options
from weclick.inference.checks import Stage, check_stage
from weclick.inference.model import Model
from weclick.inference.parameters import live_parameters
from weclick.inference.published import is_published
from weclick.inference.published_weights import read_published
from weclick.inference.rules import (
    choose_precision,
    class_probabilities,
    default_device,
    image_batch,
    labels_at,
    trained_size,
)


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
        self.device: torch.device = default_device() if device is None else torch.device(device)
        super().__init__(classes, stage, size, choose_precision(precision, self.device))
        self.network, self.name = network.to(self.device).eval().requires_grad_(False), name

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

    def softmax(self, output: Tensor) -> Tensor:
        """Return the class probabilities of logits."""
        return output.softmax(1)

    @torch.inference_mode()
    def finish(self, output: Tensor, frame: Size) -> Image:
        """Return class ids of a frame of a size."""
        return np.asarray(labels_at(output, self.input_size(frame), frame)[0].cpu().numpy(), np.uint8)

    def finish_probabilities(self, output: Tensor, frame: Size) -> Maps:
        """Return class probabilities of a frame of a size."""
        inside = self.input_size(frame)
        return np.asarray(class_probabilities(output, inside, inside, frame).cpu().numpy(), np.float32)


def open_checkpoint(
    path: Path,
    stage: str | None,
    device: torch.device | str | None,
    precision: Literal["auto", "fp32", "bf16"],
) -> TorchModel:
    """Open a checkpoint or a published model for use; see :func:`weclick.inference.opening.open_model`."""
    checkpoint = read_published(path) if is_published(path) else read_checkpoint(path)
    found: Stage = checkpoint[STAGE_KEY]
    check_stage(path, found, stage)
    network, classes, size = build_network(path, checkpoint)
    options = saved_options(checkpoint)["network"]
    name = f"{part_name('network', options['name'])} {options['encoder']}"
    return TorchModel(network, classes, found, size, device=device, precision=precision, name=name)
