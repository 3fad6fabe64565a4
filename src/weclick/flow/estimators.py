"""Optical flow estimators: two of OpenCV for the CPU, and RAFT.

All follow one convention (:mod:`weclick.conventions`): flow lives on the target grid and points into the neighbour.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Protocol, get_args

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from weclick.errors import ConfigError, ShapeError, one_line
from weclick.extensions import Part, make_part

FlowPrecision = Literal["fp32", "bf16"]
FlowName = Literal["dis", "dis-fast", "farneback", "raft-small", "raft-large"]

# DIS of OpenCV 5.0 crashes the process on small images (seen at 8x40 and 16x200)
_DIS_SMALLEST: Final = 64
# RAFT halves the size three times, then builds four correlation levels that must each hold two pixels
_RAFT_SMALLEST, _RAFT_MULTIPLE = 128, 8
# RAFT correlates every place of one image, at stride 8, with every place of the other: 4 GiB for one pair of 2048x1024
_RAFT_CORRELATIONS: Final = 2**30


class FlowEstimator(Protocol):
    """Estimates where each target pixel went in a neighbour frame."""

    @property
    def name(self) -> str:
        """Name for manifests and reports, as understood by :func:`make_flow`."""

    def __call__(self, target: Tensor, neighbour: Tensor) -> Tensor:
        """Return flow float32 (B, 2, H, W) on the target grid, on the target's device.

        Args:
            target: RGB images (B, 3, H, W), uint8 or floating in 0..1.
            neighbour: The same kind and size.

        Raises:
            ShapeError: The images are not (B, 3, H, W) or differ in size.
        """


@dataclass(frozen=True)
class DISFlow:
    """Dense inverse search on the CPU: good flow in tens of milliseconds, no weights.

    References:
        Kroeger et al.: Fast optical flow using dense inverse search, ECCV 2016.
    """

    preset: Literal["medium", "fast"] = "medium"

    _PRESETS: ClassVar[dict[str, int]] = {
        "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
        "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    }

    @property
    def name(self) -> str:
        """Name of the method and preset."""
        return "dis" if self.preset == "medium" else f"dis-{self.preset}"

    def __call__(self, target: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate flow; see :class:`FlowEstimator`."""
        return _each_pair(
            lambda: cv2.DISOpticalFlow.create(self._PRESETS[self.preset]), target, neighbour, smallest=_DIS_SMALLEST
        )


@dataclass(frozen=True)
class FarnebackFlow:
    """Polynomial expansion on the CPU; used to judge temporal consistency, never to train.

    References:
        Farneback: Two-frame motion estimation based on polynomial expansion, SCIA 2003.
    """

    @property
    def name(self) -> str:
        """Name of the method."""
        return "farneback"

    def __call__(self, target: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate flow; see :class:`FlowEstimator`."""
        return _each_pair(
            lambda: cv2.FarnebackOpticalFlow.create(numLevels=5, winSize=15, numIters=5, polyN=7, polySigma=1.5),
            target,
            neighbour,
        )


class RAFTFlow:
    """RAFT of torchvision, frozen.

    Args:
        size: "small" (1 M parameters) or "large" (5 M).
        pretrained: Take torchvision's weights, downloaded once into the torch hub cache; False leaves them random.
        weights_path: A local state dict to use instead.
        device: Where the network runs.
        precision: "bf16" runs its convolutions in bfloat16; correlations and flow stay in float32, as in the authors' mixed
            precision.

    Raises:
        ConfigError: The weights are not in the cache and cannot be downloaded, or do not fit.

    References:
        Teed, Deng: RAFT: Recurrent all-pairs field transforms for optical flow, ECCV 2020.
    """

    def __init__(
        self,
        size: Literal["small", "large"] = "small",
        *,
        pretrained: bool = True,
        weights_path: Path | None = None,
        device: torch.device | str = "cpu",
        precision: FlowPrecision = "fp32",
    ) -> None:
        from torchvision.models import optical_flow

        self.name = f"raft-{size}"
        weights = getattr(optical_flow, f"Raft_{size.capitalize()}_Weights").DEFAULT
        self.network: torch.nn.Module = getattr(optical_flow, f"raft_{size}")(weights=None)
        self._normalise = weights.transforms()
        if weights_path is not None:
            self._load(_read_weights(weights_path), str(weights_path))
        elif pretrained:
            self._load(_fetch_weights(weights), f"cached {_cached_file(weights)}")
        self.network.eval().requires_grad_(False).to(device)
        self.precision: FlowPrecision = precision
        block: Any = self.network.corr_block
        correlate = block.build_pyramid

        def in_float32(first: Tensor, second: Tensor) -> None:
            with torch.autocast(first.device.type, enabled=False):
                correlate(first.float(), second.float())

        block.build_pyramid = in_float32

    def _load(self, state: Any, origin: str) -> None:  # noqa: ANN401 - whatever the file held
        try:
            self.network.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError):
            raise ConfigError(f"{origin} holds no weights of {self.name}; check the file and the flow name") from None

    @torch.no_grad()
    def __call__(self, target: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate flow; see :class:`FlowEstimator`."""
        _check_pair(target, neighbour)
        device = next(self.network.parameters()).device
        height, width = target.shape[-2:]
        grow = (0, _missing(width), 0, _missing(height))
        first, second = (
            pad(image, grow, mode="replicate")
            for image in self._normalise(_unit(target).to(device), _unit(neighbour).to(device))
        )
        together = max(1, _RAFT_CORRELATIONS // (first.shape[-2] * first.shape[-1] // 64) ** 2)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            parts = zip(torch.split(first, together), torch.split(second, together), strict=True)
            flow = torch.cat([self.network(*part)[-1].float() for part in parts])
        return flow[..., :height, :width].to(target.device).contiguous()


def make_flow(flow: Part, device: torch.device | str = "cpu", precision: FlowPrecision = "fp32") -> FlowEstimator:
    """Return a flow estimator; "auto" is "raft-large" on CUDA and "dis" elsewhere.

    Args:
        flow: Name of a shipped one (:data:`FlowName`), or a flow from outside: a class made with its ``init_args`` that is a
            :class:`FlowEstimator` (:mod:`weclick.extensions`).
        device: Where a shipped network runs.
        precision: Number format of a shipped network.

    Raises:
        ConfigError: There is no such flow, or RAFT's weights cannot be loaded.
    """
    makers: dict[str, Callable[[], FlowEstimator]] = {
        "dis": DISFlow,
        "dis-fast": lambda: DISFlow("fast"),
        "farneback": FarnebackFlow,
        "raft-small": lambda: RAFTFlow("small", device=device, precision=precision),
        "raft-large": lambda: RAFTFlow("large", device=device, precision=precision),
    }
    chosen = _automatic(device) if flow == "auto" else flow
    made: FlowEstimator = make_part("flow", chosen, makers, ("__call__",))
    return made


def flow_name(flow: Part, device: torch.device | str = "cpu") -> str:
    """Return the name of the estimator that :func:`make_flow` makes, without loading the weights of a shipped one."""
    chosen = _automatic(device) if flow == "auto" else flow
    return chosen if isinstance(chosen, str) and chosen in get_args(FlowName) else make_flow(chosen, device).name


def _automatic(device: torch.device | str) -> FlowName:
    return "raft-large" if torch.device(device).type == "cuda" else "dis"


def _check_pair(target: Tensor, neighbour: Tensor) -> None:
    if target.ndim != 4 or target.shape[1] != 3 or target.shape != neighbour.shape:
        raise ShapeError(
            "flow needs two RGB images (B, 3, H, W) of one size, "
            f"found {tuple(target.shape)} and {tuple(neighbour.shape)}"
        )


def _unit(image: Tensor) -> Tensor:
    return image.float() if image.is_floating_point() else image.float() / 255


def _each_pair(
    make: Callable[[], cv2.DenseOpticalFlow], target: Tensor, neighbour: Tensor, smallest: int = 1
) -> Tensor:
    """Run an algorithm of OpenCV on the pairs of a batch, several at a time: it releases Python's lock."""
    _check_pair(target, neighbour)
    height, width = target.shape[-2:]
    bottom, right = max(0, smallest - height), max(0, smallest - width)

    def flow(*images: np.ndarray) -> np.ndarray:
        first, second = (cv2.copyMakeBorder(i, 0, bottom, 0, right, cv2.BORDER_REPLICATE) for i in images)
        # made for every pair (0.1 ms): an OpenCV object can be neither pickled nor shared between threads
        field = np.asarray(make().calc(first, second, None))  # type: ignore[call-overload] # stubs forbid None
        return np.ascontiguousarray(field[:height, :width].transpose(2, 0, 1))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        flows = list(pool.map(flow, _grey(target), _grey(neighbour)))
    return torch.from_numpy(np.stack(flows)).to(target.device)


def _grey(images: Tensor) -> list[np.ndarray]:
    if images.is_floating_point():
        images = (images.detach().float() * 255).round().clamp(0, 255)
    # merging planes is eight times as fast as copying a permuted array
    return [
        cv2.cvtColor(cv2.merge(list(planes)), cv2.COLOR_RGB2GRAY) for planes in images.to(torch.uint8).cpu().numpy()
    ]


def _missing(side: int) -> int:
    return max(_RAFT_SMALLEST, -(-side // _RAFT_MULTIPLE) * _RAFT_MULTIPLE) - side


def _cached_file(weights: Any) -> Path:  # noqa: ANN401 - torchvision's WeightsEnum is untyped
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name


def _fetch_weights(weights: Any) -> Any:  # noqa: ANN401
    file = _cached_file(weights)
    try:
        # torch announces the download on stdout, where a command's result belongs
        with contextlib.redirect_stdout(sys.stderr):
            return weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:
        if file.is_file():
            raise ConfigError(f"{file} is damaged or no weights file; delete it to download it again") from error
        raise ConfigError(
            f"RAFT weights cannot be downloaded ({one_line(error)}); put {file.name} into {file.parent}, "
            "or choose flow method 'dis', which needs none"
        ) from error


def _read_weights(path: Path) -> Any:  # noqa: ANN401
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"RAFT weights {path} not found") from None
    except Exception as error:  # torch.load raises pickle, zip, value and runtime errors
        raise ConfigError(f"{path} is damaged or no weights file: {one_line(error)}") from error
