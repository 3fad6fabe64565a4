"""weclick: video in, one click per object, a real-time segmentation network out.

Imports nothing heavy; names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from weclick.classes import ClassSet
    from weclick.cli.function import fit, test
    from weclick.clicks import ClickStore
    from weclick.data.datamodule import ClipDataModule
    from weclick.errors import WeclickError
    from weclick.inference.opening import open_model
    from weclick.inference.prediction import Prediction
    from weclick.modules.checkpoint import load_checkpoint
    from weclick.modules.student import StudentModule
    from weclick.modules.teacher import TeacherModule
    from weclick.pipeline.load import load
    from weclick.synthetic import write_synthetic

__all__ = [
    "ClassSet",
    "ClickStore",
    "ClipDataModule",
    "Prediction",
    "StudentModule",
    "TeacherModule",
    "WeclickError",
    "fit",
    "load",
    "load_checkpoint",
    "open_model",
    "test",
    "write_synthetic",
]

_HOME: Final = {
    "ClassSet": "weclick.classes",
    "ClickStore": "weclick.clicks",
    "ClipDataModule": "weclick.data.datamodule",
    "Prediction": "weclick.inference.prediction",
    "StudentModule": "weclick.modules.student",
    "TeacherModule": "weclick.modules.teacher",
    "WeclickError": "weclick.errors",
    "fit": "weclick.cli.function",
    "load": "weclick.pipeline.load",
    "load_checkpoint": "weclick.modules.checkpoint",
    "open_model": "weclick.inference.opening",
    "test": "weclick.cli.function",
    "write_synthetic": "weclick.synthetic",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "__version__":
        return _version("weclick")
    if name not in _HOME:
        raise AttributeError(f"module 'weclick' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
