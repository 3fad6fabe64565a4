"""From a checkpoint to the function that segments single frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray

from weclick.callbacks.drawing import legend, overlay
from weclick.classes import ClassSet
from weclick.data.dataset import resize_image
from weclick.metrics import labels_at
from weclick.modules import SegmentationModule, load_checkpoint
from weclick.pipeline.training import frozen
from weclick.serve.predict import Summary, predict

Image = NDArray[np.uint8]


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
) -> Summary:
    """Segment a source with a checkpoint; see :func:`weclick.serve.predict.predict`."""
    module = load_checkpoint(checkpoint)
    draw = partial(draw_labels, classes=module.classes, alpha=alpha) if overlays else None
    return predict(
        source,
        segmenter(module),
        module.classes,
        out,
        draw=draw,
        labels=labels,
        max_frames=max_frames,
        stride=stride,
    )


def segmenter(module: SegmentationModule) -> Callable[[Image], Image]:
    """Return a function from an RGB frame (H, W, 3) to class ids (H, W), at the scale the network was trained at."""
    device = Fabric(accelerator="auto", devices=1).device
    network = frozen(module, device)
    trained = (int(module.hparams["size"][0]), int(module.hparams["size"][1]))

    @torch.inference_mode()
    def segment(image: Image) -> Image:
        size = working_size((image.shape[0], image.shape[1]), trained)
        pixels = torch.from_numpy(resize_image(image, size)).to(device)
        logits = network(pixels.permute(2, 0, 1)[None].float() / 255)
        labels = labels_at(logits, size)[0].to(torch.uint8).cpu().numpy()
        # Enlarging ids instead of logits: at the frame's size the argmax would take longer than the network.
        return cv2.resize(labels, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_NEAREST).astype(np.uint8)

    return segment


def working_size(size: tuple[int, int], trained: tuple[int, int]) -> tuple[int, int]:
    """Return the size to run a frame of ``size`` at: its own shape, with as many pixels as in training."""
    scale = (trained[0] * trained[1] / (size[0] * size[1])) ** 0.5
    return (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def draw_labels(image: Image, labels: Image, *, classes: ClassSet, alpha: float) -> Image:
    """Return the frame with its classes' colours over it and their names below it."""
    drawn = overlay(image, labels, classes, alpha)
    strip = legend(classes, image.shape[1])
    height = min(strip.shape[0], image.shape[0] // 4)
    strip = strip if height == strip.shape[0] else cv2.resize(strip, (image.shape[1], height))
    drawn[-height:] = strip  # inside the frame, so that the video keeps its size
    return drawn
