"""The formats that a network can be exported to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from weclick.inference.card import Precision
from weclick.inference.toolkits import Package


@dataclass(frozen=True)
class Format:
    """A kind of exported file, its precision, and the packages it takes to make and check it."""

    name: str
    file: str
    precision: Precision
    packages: tuple[Package, ...]


FORMATS: Final[dict[str, Format]] = {
    made.name: made
    for made in (
        Format("onnx", "student.onnx", "fp32", ("onnx", "onnxscript", "onnxruntime")),
        Format("openvino", "student-openvino.xml", "fp32", ("onnx", "onnxscript", "openvino")),
        Format("openvino-bf16", "student-openvino-bf16.xml", "bf16", ("onnx", "onnxscript", "openvino")),
        Format("openvino-int8", "student-openvino-int8.xml", "int8", ("onnx", "onnxscript", "openvino", "nncf")),
    )
}
"""By the name ``weclick export --formats`` takes, in the order they are made in."""
