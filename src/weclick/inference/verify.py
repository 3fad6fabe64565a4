"""Whether an exported model does what its network does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weclick.errors import ExportError
from weclick.inference.exported import ExportedNetwork
from weclick.inference.tensors import image_batch
from weclick.metrics import SegmentationScore, labels_at

Image = NDArray[np.uint8]


def reference_labels(network: nn.Module, images: Sequence[Image]) -> list[Image]:
    """Return what the network itself says: class ids uint8 (H, W) of each RGB image uint8 (H, W, 3)."""
    found = []
    with torch.inference_mode():
        for image in images:
            labels = labels_at(network(image_batch(image)), (image.shape[0], image.shape[1]))
            found.append(labels[0].to(torch.uint8).numpy())
    return found


def agreement(exported: ExportedNetwork, images: Sequence[Image], reference: Sequence[Image]) -> float:
    """Return the share of pixels, 0..1, that the exported model labels like the reference.

    Raises:
        ExportError: The model gives something that is no number, or no class.
    """
    equal = []
    for image, labels in zip(images, reference, strict=True):
        raw = exported.run(image)
        if not np.isfinite(raw).all():
            raise ExportError("the exported model gives values that are no numbers (NaN or infinite)")
        found = exported.labels(image)
        if int(found.max()) >= len(exported.card.classes):
            raise ExportError(f"the exported model gives class {int(found.max())}, which does not exist")
        equal.append(float((found == labels).mean()))
    return float(np.mean(equal))


def miou(
    network: Callable[[Tensor], Tensor], frames: Iterable[tuple[Image, NDArray[np.uint8]]], num_classes: int
) -> float:
    """Return the mIoU, 0..1, over pairs of image and label (of any size); NaN without a labelled pixel."""
    score = SegmentationScore(num_classes)
    with torch.inference_mode():
        for image, label in frames:
            truth = torch.from_numpy(label)
            score.update(labels_at(network(image_batch(image)), (truth.shape[0], truth.shape[1]))[0], truth)
    return score.compute().miou


def noise_images(size: tuple[int, int], count: int, *, seed: int = 0) -> list[Image]:
    """Return random images of smooth patches, for comparing where there is no data."""
    rng = np.random.default_rng(seed)
    small = (max(2, size[0] // 16), max(2, size[1] // 16), 3)
    patches = (rng.integers(0, 256, small, np.uint8) for _ in range(count))
    return [cv2.resize(patch, size[::-1], interpolation=cv2.INTER_CUBIC).astype(np.uint8) for patch in patches]
