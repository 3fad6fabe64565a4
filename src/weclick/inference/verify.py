"""Comparing an exported model with the network it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch

from weclick.conventions import Size
from weclick.errors import ExportError
from weclick.inference.array_rules import Image
from weclick.inference.model import Model
from weclick.inference.rules import image_batch, labels_at
from weclick.metrics import SegmentationScore


def agreement(exported: Model, images: Sequence[Image], reference: Sequence[Image]) -> float:
    """Return the share of pixels, 0..1, that the exported model labels like the reference.

    Args:
        exported: The exported model.
        images: RGB uint8 (H, W, 3), of its size.
        reference: Class ids uint8 (H, W) of each image.

    Raises:
        ExportError: The model gives values that are not finite, or a class that does not exist.
    """
    equal = []
    for image, labels in zip(images, reference, strict=True):
        output = exported.run(image)
        if not np.isfinite(output).all():
            raise ExportError("the exported model gives values that are no numbers (NaN or infinite)")
        ids = exported.finish(output, (image.shape[0], image.shape[1]))
        if int(ids.max()) >= len(exported.classes):
            raise ExportError(f"the exported model gives class {int(ids.max())}, which does not exist")
        equal.append(float((ids == labels).mean()))
    return float(np.mean(equal))


def miou(model: Model, frames: Iterable[tuple[Image, Image]]) -> float:
    """Return the mIoU, 0..1, over pairs of image and label (of any size); NaN without a labelled pixel."""
    score = SegmentationScore(len(model.classes)).to(model.device)
    for image, label in frames:
        logits = model.logits(image_batch(image, model.device))
        truth = torch.from_numpy(label).to(model.device)
        score.update(labels_at(logits, image.shape[:2], label.shape)[0], truth)
    return score.compute().miou


def noise_images(size: Size, count: int, *, seed: int = 0) -> list[Image]:
    """Return random images of smooth patches, for comparing where there is no data."""
    rng = np.random.default_rng(seed)
    small = (max(2, size[0] // 16), max(2, size[1] // 16), 3)
    patches = (rng.integers(0, 256, small, np.uint8) for _ in range(count))
    return [cv2.resize(patch, size[::-1], interpolation=cv2.INTER_CUBIC).astype(np.uint8) for patch in patches]
