"""Video consistency VC_n on densely labelled videos."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from weclick.conventions import IGNORE_INDEX
from weclick.errors import ConfigError, ShapeError


class VideoConsistency(Metric):
    """Share of the pixels with a constant true class that are predicted correctly in n consecutive frames.

    In each window of n frames, the pixels that have the same class in all n labels are counted; the score of the window
    is the share of them where all n predictions equal that class. The metric is the mean over windows; those without such
    a pixel are left out. Add frames in order, and call :meth:`reset_video` at every gap between frames. Call
    :meth:`update` and not the metric itself, as torchmetrics' ``forward`` resets the state.

    This is the formula of the paper. The script released with VSPW is different (it only requires constant predictions,
    counts ignored pixels and skips the last window of each video), so its numbers are not comparable.

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
        # Each process must evaluate whole videos. float32, as some accelerators lack float64.
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("windows", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.reset_video()

    def reset_video(self) -> None:
        """Start a new video; the windows counted so far stay."""
        self._last: _Runs | None = None

    def reset(self) -> None:
        """Reset all windows and the current video."""
        super().reset()
        self.reset_video()

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add the next frame of the current video."""
        if prediction.ndim != 2 or prediction.shape != label.shape:
            shapes = f"prediction {tuple(prediction.shape)} and label {tuple(label.shape)}"
            raise ShapeError(f"{shapes} must be one frame (H, W) of the same size")
        if self._last is not None and self._last.label.shape != label.shape:
            sizes = f"{tuple(self._last.label.shape)} to {tuple(label.shape)}"
            raise ShapeError(f"frame size changes from {sizes}; call reset_video() between videos")
        self._last = _next_runs(self._last, prediction, label)
        steady = int((self._last.steady >= self.n).sum())
        if steady:
            self.total += int((self._last.right >= self.n).sum()) / steady
            self.windows += 1

    def compute(self) -> float:
        """Return VC_n over all windows since the last reset."""
        return float(self.total / self.windows)


class _Runs(NamedTuple):
    """Label of the last frame and, per pixel, for how many frames it is unchanged and predicted correctly.

    Run lengths are enough to count windows, so memory depends neither on n nor on the length of the video.
    """

    label: Tensor
    steady: Tensor
    right: Tensor


def _next_runs(last: _Runs | None, prediction: Tensor, label: Tensor) -> _Runs:
    labelled = label != IGNORE_INDEX
    right = labelled & (prediction == label)
    if last is None:
        return _Runs(label.clone(), labelled.int(), right.int())
    same = label == last.label
    return _Runs(
        label.clone(), torch.where(labelled, last.steady * same + 1, 0), torch.where(right, last.right * same + 1, 0)
    )
