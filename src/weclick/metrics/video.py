"""Video consistency VC_n on densely labelled videos."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError, ShapeError


class VideoConsistency(Metric):
    """Mean over windows of n consecutive frames: of the pixels whose true class holds, how many are right throughout?

    A window counts the pixels that carry the same class in all n labels; its score is the share of them at which all
    n predictions equal that class. Windows without such a pixel are left out. Feed frames in order and call
    :meth:`reset_video` at every gap, so that no window reaches over it. Run lengths per pixel are kept, not frames,
    hence memory does not depend on n. Call :meth:`update`, never the metric itself: torchmetrics' ``forward`` resets.

    This is the formula of the paper. The script released with VSPW asks only that the prediction be constant, counts
    ignored pixels and skips each video's last window; its numbers are not comparable.

    Shape:
        - update: prediction and label of one frame, class ids (H, W).
        - compute: float, NaN before the first window.

    Raises:
        ConfigError: n is below 1.
        ShapeError: Sizes differ, or change within a video.

    References:
        Miao et al., VSPW: A Large-scale Dataset for Video Scene Parsing in the Wild, CVPR 2021 (metric VC).
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    windows: Tensor

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ConfigError(f"video consistency needs windows of at least 1 frame, found n = {n}")
        super().__init__()
        self.n = n
        # Each process must see whole videos; float32 because some accelerators have no float64.
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("windows", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.reset_video()

    def reset_video(self) -> None:
        """Forget the current video; windows already counted stay."""
        self._last: _Runs | None = None

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.reset_video()

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add the next frame of the current video."""
        if prediction.ndim != 2 or prediction.shape != label.shape:
            shapes = f"prediction {tuple(prediction.shape)} and label {tuple(label.shape)}"
            raise ShapeError(f"{shapes} must be one frame (H, W) of equal size")
        if self._last is not None and self._last.label.shape != label.shape:
            sizes = f"{tuple(self._last.label.shape)} to {tuple(label.shape)}"
            raise ShapeError(f"frame size changes from {sizes}; call reset_video() between videos")
        self._last = _lengthen(self._last, prediction, label)
        steady = int((self._last.steady >= self.n).sum())
        if steady:
            self.total += int((self._last.right >= self.n).sum()) / steady
            self.windows += 1

    def compute(self) -> float:
        """Return VC_n over all windows since the last reset."""
        return float(self.total / self.windows)


class _Runs(NamedTuple):
    """Label of the last frame and, per pixel, for how many frames it has held, and been predicted."""

    label: Tensor
    steady: Tensor
    right: Tensor


def _lengthen(last: _Runs | None, prediction: Tensor, label: Tensor) -> _Runs:
    known = label != IGNORE_INDEX
    right = known & (prediction == label)
    if last is None:
        return _Runs(label.clone(), known.int(), right.int())
    held = label == last.label
    return _Runs(
        label.clone(), torch.where(known, last.steady * held + 1, 0), torch.where(right, last.right * held + 1, 0)
    )
