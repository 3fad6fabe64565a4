"""The rules of :mod:`weclick.inference.rules` for arrays in place of tensors: exported models need no torch."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from weclick.conventions import Size

Image = NDArray[np.uint8]
Maps = NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)


def fitted_size(frame: Size, room: Size) -> Size:
    """Return the largest size of the frame's shape that fits into ``room``, the only size a model takes."""
    scale = min(room[0] / frame[0], room[1] / frame[1])
    return (max(1, min(room[0], round(frame[0] * scale))), max(1, min(room[1], round(frame[1] * scale))))


def softmax(logits: Maps) -> Maps:
    """Return class probabilities of logits (B, C, h, w)."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def class_ids(logits: Maps, size: Size) -> Image:
    """Return the likeliest class at each pixel, uint8 (H, W), of logits (C, h, w) resized bilinearly to ``size``."""
    ids, highest = np.zeros(size, np.uint8), _enlarged(logits[0], size)
    for class_id, one in enumerate(logits[1:], 1):
        values = _enlarged(one, size)
        np.copyto(ids, np.uint8(class_id), where=values > highest)
        np.maximum(highest, values, out=highest)
    return ids


def class_probabilities(logits: Maps, inside: Size, filled: Size, frame: Size) -> Maps:
    """Return the class probabilities (C, H, W) of a frame, resized as its class ids are.

    Args:
        logits: (C, h, w).
        inside: (H, W) of the frame in the network's input: its upper left part.
        filled: (H, W) of the network's input.
        frame: (H, W) of the frame.
    """
    maps = softmax(np.stack([_enlarged(one, filled) for one in logits])[None])[0]
    return np.stack([resize_nearest(one[: inside[0], : inside[1]], frame) for one in maps])


def resize_nearest(values: NDArray[Value], size: Size) -> NDArray[Value]:
    """Resize class ids or values (h, w) by nearest neighbour, comparing pixel centres, to (H, W)."""
    if values.shape == size:
        return values
    # not OpenCV's INTER_NEAREST_EXACT: where two centres are equally near, it takes the other one than torch
    rows, columns = map(_nearest, values.shape, size)
    return values[rows][:, columns]


def _nearest(old: int, new: int) -> NDArray[np.intp]:
    """Return which of ``old`` pixels is nearest to each of ``new`` ones, in torch's arithmetic."""
    scale = np.float32(old) / np.float32(new)
    return ((np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale).astype(np.intp)


def _enlarged(logits: Maps, size: Size) -> Maps:
    """Resize one class's logits (h, w) bilinearly to (H, W), with half-pixel centres."""
    return np.asarray(cv2.resize(logits, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
