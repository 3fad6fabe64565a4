"""Colour augmentation of batches on the device, by kornia."""

from __future__ import annotations

from collections.abc import Callable

import kornia.augmentation as K
from torch import Tensor, nn

from weclick.extensions import Part, make_part


class Photometric(nn.Module):
    """Random brightness, contrast, saturation and, for some images, noise; drawn for each image separately.

    Args:
        strength: 0 (off) to 1.

    Shape:
        RGB (B, 3, H, W) in 0..1 to the same.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.augment = K.AugmentationSequential(
            K.RandomBrightness((1 - strength / 2, 1 + strength / 2), p=0.8),
            K.RandomContrast((1 - strength, 1 + strength), p=0.8),
            K.RandomSaturation((1 - strength, 1 + strength), p=0.5),
            K.RandomGaussianNoise(std=0.02, p=0.2),
            data_keys=["input"],
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return augmented images."""
        augmented: Tensor = self.augment(images)
        return augmented.clamp(0, 1)


def make_augmentation(colour: float | Part) -> Callable[[Tensor], Tensor] | None:
    """Return the colour augmentation that ``data.draws.colour`` names: by its strength, or from outside; None for strength 0.

    An augmentation from outside is an ``nn.Module`` made with its ``init_args``, from RGB (B, 3, H, W) in 0..1 to the same. The
    images are on the training device; it moves its own tensors there. For a temporal loss, one image holds a target above its
    neighbour.

    Raises:
        ConfigError: There is no such augmentation.
    """
    if isinstance(colour, int | float):
        return Photometric(colour) if colour else None
    augmentation: nn.Module = make_part("augmentation", colour, {"photometric": Photometric}, ("forward",))
    return augmentation
