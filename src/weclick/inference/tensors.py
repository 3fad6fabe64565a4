"""Images as networks take them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def image_batch(image: NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """Return an RGB image (H, W, 3) as a batch of one, float (1, 3, H, W) in 0..1; see :mod:`weclick.conventions`."""
    return torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
