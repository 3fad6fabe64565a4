"""A network as an ONNX or OpenVINO model: converting, quantising, writing."""

from __future__ import annotations

import copy
import io
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from weclick.disk import disk_error, disk_state
from weclick.errors import DataError, one_line
from weclick.inference.card import KEY, Card
from weclick.inference.toolkits import toolkit

OPSET: Final = 18
"""What torch's exporter writes without translating; ONNX Runtime, OpenVINO and TensorRT (9 to 25) all read it."""


class _FromPixels(nn.Module):
    """Takes RGB uint8 (1, H, W, 3) as cameras and decoders give it; gives logits, or class ids uint8 (1, H, W)."""

    def __init__(self, network: nn.Module, size: tuple[int, int], labels: bool) -> None:
        super().__init__()
        self.network, self.size, self.labels = network, size, labels

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image.float().permute(0, 3, 1, 2) / 255)
        if not self.labels:
            return logits
        # as labels_at does it
        return F.interpolate(logits, self.size, mode="bilinear", align_corners=False).argmax(1).to(torch.uint8)


def to_onnx(network: nn.Module, size: tuple[int, int], *, labels: bool = False) -> Any:  # noqa: ANN401
    """Turn a network into an ONNX model of one static size.

    Sizes are static because pooling and resizing at sizes other than the traced one can be silently wrong.

    Args:
        network: RGB images (1, 3, H, W) in 0..1 to logits (1, C, h, w).
        size: (H, W).
        labels: Give class ids at full size instead of logits.

    Returns:
        ``onnx.ModelProto``: input ``image``, uint8 (1, H, W, 3); output ``logits``, float32 (1, C, h, w), or ``labels``,
        uint8 (1, H, W).

    Raises:
        ConfigError: onnx or onnxscript is not installed.
    """
    for package in ("onnx", "onnxscript"):
        toolkit(package)
    plain = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    wrapped = _FromPixels(plain.to(memory_format=torch.contiguous_format), size, labels).eval()
    program = torch.onnx.export(
        wrapped,
        (torch.zeros(1, *size, 3, dtype=torch.uint8),),
        input_names=["image"],
        output_names=["labels" if labels else "logits"],
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return _without_traces(program.model_proto)


def _without_traces(model: Any) -> Any:  # noqa: ANN401
    """Remove the exporter's stack traces; they hold this machine's paths."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model


def to_openvino(model: Any) -> Any:  # noqa: ANN401
    """Turn an ONNX model into an ``openvino.Model``.

    Raises:
        ConfigError: openvino is not installed.
    """
    return toolkit("openvino").Core().read_model(model.SerializeToString())


def quantise(model: Any, images: Iterable[NDArray[np.uint8]]) -> Any:  # noqa: ANN401
    """Return an OpenVINO model whose convolutions run in int8, in ranges seen on ``images``, RGB uint8 (H, W, 3).

    Raises:
        ConfigError: nncf is not installed.
        DataError: There are no images.
    """
    nncf = toolkit("nncf")
    batches = [image[None] for image in images]
    if not batches:
        raise DataError("quantisation needs images to measure ranges on, found none; check data.root")
    with redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):  # its progress bar
        return nncf.quantize(model, nncf.Dataset(batches), subset_size=len(batches))


def write_model(model: Any, card: Card, path: Path, *, final: Path | None = None) -> None:  # noqa: ANN401
    """Write a model with its card inside: ``.onnx``, or ``.xml`` with ``.bin`` (weights in fp16 for bf16 models).

    Args:
        model: The model.
        card: Its description.
        path: File to write.
        final: Where the file is to be moved, for messages.

    Raises:
        DataError: It cannot be written.
    """
    try:
        if path.suffix == ".onnx":
            toolkit("onnx").helper.set_model_props(model, {KEY: card.to_json()})
            path.write_bytes(model.SerializeToString())
        else:
            model.set_rt_info(card.to_json(), [KEY, "card"])
            toolkit("openvino").save_model(model, path, compress_to_fp16=card.precision == "bf16")
    except (OSError, RuntimeError) as error:
        named = final or path
        disk, state = disk_state(named)  # OpenVINO does not tell why it cannot write
        raise disk_error(error, named) or DataError(
            f"{named} cannot be written: {one_line(error)}; check the disk {disk} ({state}) and permissions of the folder"
        ) from error
