"""Frozen features of a frame: what the probe classifies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from weclick.conventions import Size
from weclick.errors import ConfigError
from weclick.models.factory import DIVISOR, SegmentationNetwork, make_network
from weclick.models.options import NetworkOptions

ENCODER: Final = "tf_efficientnet_lite0"
"""Its ImageNet weights come with the installation."""
MAGNIFIED: Final = 2.0
"""The encoder sees frames enlarged by this factor, so that its finest cells, of stride 4, are 2 pixels wide: poles need it."""
LARGEST: Final = 1280
"""Longer side of the enlarged frame at most, in pixels, so that features of a large frame do not take seconds."""


@dataclass(frozen=True)
class Features:
    """Feature maps of one frame, each covering the whole frame.

    Args:
        maps: float16 (c, h, w), finest first; each cell of the encoder's maps is scaled to length 1.
        source: Size (H, W) of the frame.
    """

    maps: Sequence[Tensor]
    source: Size

    @property
    def channels(self) -> int:
        """Number of features of a pixel, over all maps."""
        return sum(features.shape[0] for features in self.maps)

    def at(self, points: Sequence[tuple[float, float]]) -> Tensor:
        """Return the features at points (x, y) of the frame, float32 (N, channels), interpolated bilinearly."""
        scale = torch.tensor([2 / self.source[1], 2 / self.source[0]])
        grid = (torch.tensor(points, dtype=torch.float32).reshape(1, 1, -1, 2) + 0.5) * scale - 1
        sampled = [
            F.grid_sample(features[None].float(), grid, padding_mode="border", align_corners=False)[0, :, 0]
            for features in self.maps
        ]
        return torch.cat(sampled).T


class FrozenFeatures:
    """Computes the features of frames: an encoder's maps, and colour and position.

    Args:
        network: Its encoder is used, in evaluation mode; by default the packaged one with its ImageNet weights.

    Raises:
        ConfigError: The network has no encoder.
    """

    def __init__(self, network: SegmentationNetwork | None = None) -> None:
        self.network = network or make_network(NetworkOptions("light", ENCODER), num_classes=1)
        self.network.eval()
        if not hasattr(self.network.body, "encoder"):
            raise ConfigError("this network has no encoder to take features from; leave it out to use the packaged one")

    @cached_property
    def key(self) -> str:
        """What the features depend on, beside the frame: the encoder's weights, and at which size it sees a frame."""
        digest = hashlib.sha256(f"{MAGNIFIED} {LARGEST}".encode())
        for name, tensor in self.network.body.get_submodule("encoder").state_dict().items():
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
        return digest.hexdigest()

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8]) -> Features:
        """Return the features of a frame, RGB uint8 (H, W, 3)."""
        source = (image.shape[0], image.shape[1])
        enlarged = cv2.resize(image, encoder_size(source)[::-1], interpolation=cv2.INTER_LINEAR)
        images = torch.from_numpy(enlarged).permute(2, 0, 1)[None].float() / 255
        encoder: nn.Module = self.network.body.get_submodule("encoder")
        maps = encoder((images - self.network.mean) / self.network.std)
        maps = [F.normalize(features, dim=1)[0] for features in maps if features.shape[-1] < enlarged.shape[1] // 2]
        return Features([features.half() for features in (*maps, _colour_and_position(image))], source)


def encoder_size(source: Size) -> Size:
    """Return the size of the image that the encoder sees: its sides are multiples of its coarsest stride."""
    factor = min(MAGNIFIED, LARGEST / max(source))
    height, width = (max(DIVISOR, round(side * factor / DIVISOR) * DIVISOR) for side in source)
    return height, width


def _colour_and_position(image: NDArray[np.uint8]) -> Tensor:
    """Return 7 features of each cell of 2 pixels: Lab / 100, and row and column, -0.5 to 0.5, with their squares."""
    height, width = (max(1, side // 2) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = torch.from_numpy(cv2.cvtColor(small, cv2.COLOR_RGB2Lab)).permute(2, 0, 1) / 100
    rows = ((torch.arange(height) + 0.5) / height - 0.5)[:, None].expand(height, width)
    columns = ((torch.arange(width) + 0.5) / width - 0.5)[None].expand(height, width)
    return torch.cat([lab, torch.stack([rows, columns, rows**2, columns**2])])
