"""The rules by which a frame becomes a network's input and its logits become labels: size, precision, resizing.

Validation, ``test``, ``predict``, ``export``, ``benchmark``, suggestions and the page all use these functions; frames that an
exported model labels go through those of :mod:`weclick.inference.array_rules`, which follow the same rules without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from weclick.conventions import Size
from weclick.errors import ShapeError
from weclick.inference.array_rules import Image


def trained_size(frame: Size, trained: Size) -> Size:
    """Return the size to run a frame at: the frame's own shape, with as many pixels as the images in training."""
    scale = (trained[0] * trained[1] / (frame[0] * frame[1])) ** 0.5
    return (max(1, round(frame[0] * scale)), max(1, round(frame[1] * scale)))


def default_device() -> torch.device:
    """Return the device to run on: the first GPU (CUDA, then Apple's) if there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_precision(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> Literal["fp32", "bf16"]:
    """Return the number format to run in; ``auto`` is bf16 on a CUDA device that computes in it, fp32 elsewhere.

    On CPUs bf16 is faster only with special instructions, and there it depends on the network whether it is.
    """
    if precision != "auto":
        return precision
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has_bf16 else "fp32"


def image_batch(image: Image, device: torch.device | str = "cpu") -> Tensor:
    """Return an RGB image (H, W, 3) as a batch of one, float (1, 3, H, W) in 0..1; see :mod:`weclick.conventions`."""
    return torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255


def labels_at(logits: Tensor, input_size: Sequence[int], size: Sequence[int]) -> Tensor:
    """Return the class ids of logits: chosen at the size of the network's input, then resized as ids.

    Logits are resized bilinearly to the input's size, so that borders fall between the logits' pixels. They are not
    resized to ``size``: at a frame's full size the argmax would take longer than the network.

    Args:
        logits: (B, C, h, w), at any stride; or probabilities.
        input_size: (H, W) of the images the network was given.
        size: (H, W) of the result, usually the frame's or the label's.

    Returns:
        uint8 (B, H, W).
    """
    return resize_ids(class_ids(logits, input_size), size)


def class_ids(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Return the likeliest class at each pixel, uint8 (B, H, W), of logits (B, C, h, w) resized bilinearly to ``size``."""
    if logits.ndim != 4:
        raise ShapeError(f"logits must be (B, C, h, w), found {tuple(logits.shape)}")
    # one image at a time, as a batch of enlarged logits may not fit into memory; float32, as bfloat16 would make ties
    maps = (F.interpolate(one[None].float(), tuple(size), mode="bilinear", align_corners=False) for one in logits)
    # max and not argmax: the same classes, four times as fast on a CPU
    return torch.cat([one.max(1).indices.to(torch.uint8) for one in maps])


def class_probabilities(logits: Tensor, inside: Size, filled: Size, frame: Sequence[int]) -> Tensor:
    """Return the class probabilities (C, H, W) of a frame, resized as :func:`labels_at` resizes class ids.

    Args:
        logits: (1, C, h, w).
        inside: (H, W) of the frame in the network's input: its upper left part.
        filled: (H, W) of the network's input.
        frame: (H, W) of the frame.
    """
    maps = F.interpolate(logits.float(), filled, mode="bilinear", align_corners=False).softmax(1)
    maps = maps[:, :, : inside[0], : inside[1]]
    return maps[0] if maps.shape[-2:] == tuple(frame) else F.interpolate(maps, tuple(frame), mode="nearest-exact")[0]


def resize_ids(ids: Tensor, size: Sequence[int]) -> Tensor:
    """Resize class ids, uint8 (B, h, w), by nearest neighbour to (B, H, W)."""
    if ids.shape[-2:] == tuple(size):
        return ids
    # nearest-exact compares pixel centres, as the bilinear resizing does; plain nearest would shift by half a pixel
    return F.interpolate(ids[:, None], tuple(size), mode="nearest-exact")[:, 0]
