"""Opening and running exported files on ONNX Runtime and OpenVINO; :mod:`weclick.inference.model` makes models of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from weclick.classes import ClassSet
from weclick.errors import CheckpointError, ShapeError, WeclickError, one_line
from weclick.inference.array_rules import Image
from weclick.inference.card import KEY, Card
from weclick.inference.toolkits import toolkit
from weclick.machine import compute_threads

SUFFIXES: Final = (".onnx", ".xml")
"""Suffixes of the files that :meth:`ExportedNetwork.open` opens."""


class Engine(Protocol):
    """A model loaded into a runtime."""

    input_shape: list[int]
    output_shape: list[int]
    output_name: str
    precision: str
    device: str

    def __call__(self, images: Image) -> NDArray[Any]:
        """Run uint8 (1, H, W, 3) images."""


class ExportedNetwork:
    """An exported file on its runtime.

    Args:
        engine: The loaded file.
        card: Its description of itself.

    Raises:
        CheckpointError: File and description do not fit.
    """

    def __init__(self, engine: Engine, card: Card) -> None:
        self.card = card
        self._engine = engine
        classes = engine.output_shape[1] if card.output == "logits" else len(card.classes)
        shapes = (engine.input_shape, engine.output_name, classes)
        if shapes != ([1, *card.size, 3], card.output, len(card.classes)):
            raise CheckpointError(
                f"an exported model of input {shapes[0]}, output {shapes[1]!r} and {shapes[2]} classes states that it "
                f"takes {card.size[0]} x {card.size[1]} and gives {card.output} of {len(card.classes)}; export it again"
            )

    @classmethod
    def open(cls, path: Path) -> ExportedNetwork:
        """Open a ``.onnx`` file, or a ``.xml`` file with its ``.bin`` beside it, made by ``weclick export``.

        Raises:
            CheckpointError: It is missing, damaged, or not made by weclick.
            ConfigError: The package that runs such files is not installed.
        """
        needed = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
        for file in needed:
            if not file.is_file():
                raise CheckpointError(f"exported model {file} not found; a .xml file needs its .bin file beside it")
        try:
            if path.suffix == ".onnx":
                return cls.from_onnx(path.read_bytes())
            return cls.from_openvino(toolkit("openvino").Core().read_model(os.fspath(path)))
        except WeclickError as error:
            raise type(error)(f"{path}: {error}") from None
        except Exception as error:  # runtimes raise many kinds of errors on damaged files
            raise CheckpointError(f"{path} is damaged or no model ({one_line(error)})") from None

    @classmethod
    def from_onnx(cls, model: Any, card: Card | None = None) -> ExportedNetwork:  # noqa: ANN401
        """Load an ONNX model from memory, serialised or as ``ModelProto``, by default with the card inside it."""
        engine = OnnxEngine(model if isinstance(model, bytes) else model.SerializeToString())
        return cls(engine, card or _card(engine.properties.get(KEY)))

    @classmethod
    def from_openvino(cls, model: Any, card: Card | None = None) -> ExportedNetwork:  # noqa: ANN401
        """Load an OpenVINO model from memory, by default with the card inside it."""
        card = card or _card(model.get_rt_info([KEY, "card"]).value if model.has_rt_info([KEY, "card"]) else None)
        return cls(OpenVinoEngine(model, card.precision), card)

    @property
    def precision(self) -> str:
        """Number format it runs in on this machine: a bf16 model runs in fp32 on a processor without bf16."""
        return self._engine.precision

    @property
    def device(self) -> str:
        """Device it runs on, by torch's name."""
        return self._engine.device

    def run(self, image: Image) -> NDArray[Any]:
        """Run one image, RGB uint8 (H, W, 3): logits (1, C, h, w), or class ids (1, H, W), as the card states.

        Raises:
            ShapeError: Another size than the model was exported for.
        """
        if image.shape != (*self.card.size, 3) or image.dtype != np.uint8:
            height, width = self.card.size
            raise ShapeError(
                f"this model was exported for uint8 images of {height} x {width}, found {image.dtype} "
                f"{tuple(image.shape)}; resize them, or export the checkpoint with --size"
            )
        return self._engine(np.ascontiguousarray(image[None]))


class OnnxEngine:
    """An ONNX model on ONNX Runtime: on CUDA where onnxruntime-gpu is installed, else on the CPU."""

    def __init__(self, model: bytes) -> None:
        ort = toolkit("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = compute_threads()
        options.log_severity_level = 4  # a model that cannot be loaded raises an exception already
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in ort.get_available_providers()]
        self._session = ort.InferenceSession(model, options, providers=providers)
        self._input, output = self._session.get_inputs()[0], self._session.get_outputs()[0]
        self.input_shape, self.output_shape = list(self._input.shape), list(output.shape)
        self.output_name: str = output.name
        self.precision = "fp32"
        self.device = "cuda" if wanted[0] in self._session.get_providers() else "cpu"
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def __call__(self, images: Image) -> NDArray[Any]:
        """Run uint8 (1, H, W, 3) images."""
        output: NDArray[Any] = self._session.run(None, {self._input.name: images})[0]
        return output


class OpenVinoEngine:
    """An OpenVINO model on the CPU.

    The number format is always requested: on a processor with bf16, OpenVINO would otherwise run fp32 models in it.
    """

    def __init__(self, model: Any, precision: str) -> None:  # noqa: ANN401
        core = toolkit("openvino").Core()
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "fp32" if precision == "bf16" and not has_bf16 else precision
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": compute_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        self.input_shape, self.output_shape = list(model.input(0).shape), list(model.output(0).shape)
        self.output_name: str = model.output(0).any_name
        self.device = "cpu"

    def __call__(self, images: Image) -> NDArray[Any]:
        """Run uint8 (1, H, W, 3) images."""
        output: NDArray[Any] = self._request.infer([images], share_inputs=True)[0]
        return output


def _card(text: str | None) -> Card:
    if text is None:
        raise CheckpointError(
            "not a model of weclick: it has no description of its classes; make one with weclick export"
        )
    return Card.from_json(text)


def numbered_classes(count: int) -> ClassSet:
    """Return classes without names, for models that are only timed."""
    return ClassSet.from_list([{"name": f"class {index}"} for index in range(count)])
