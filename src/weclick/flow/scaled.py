"""Flow estimated on smaller images, for the resolution of the frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import interpolate

from weclick.flow.estimators import FlowEstimator
from weclick.flow.warp import resize_flow


@dataclass(frozen=True)
class ScaledFlow:
    """Run an estimator on images reduced to a share of their sides, and enlarge its flow to the full grid.

    At half the sides RAFT needs less than a quarter of the operations, and its correlations a sixteenth of the memory; motion of
    details that the smaller images do not show is lost.

    Args:
        estimator: Gets the smaller images.
        scale: Their sides as a share of the full ones, in (0, 1].
    """

    estimator: FlowEstimator
    scale: float

    @property
    def name(self) -> str:
        """Name of the method and the scale."""
        return scaled_name(self.estimator.name, self.scale)

    def __call__(self, target: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate flow; see :class:`~weclick.flow.FlowEstimator`."""
        size = (target.shape[-2], target.shape[-1])
        flow = self.estimator(self._smaller(target), self._smaller(neighbour))
        return resize_flow(flow, size)

    def _smaller(self, images: Tensor) -> Tensor:
        size = [max(1, round(side * self.scale)) for side in images.shape[-2:]]
        # a GPU cannot antialias bytes
        images = images if images.is_floating_point() else images.float() / 255
        return interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def scaled_name(name: str, scale: float) -> str:
    """Return the name of a method at a scale, for manifests and reports."""
    return name if scale == 1 else f"{name} at {scale:g}"
