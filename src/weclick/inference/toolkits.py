"""The one door to ONNX, ONNX Runtime, OpenVINO and NNCF: imported when needed, and kept from reporting home."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from weclick.errors import ConfigError, one_line

Package = Literal["onnx", "onnxscript", "onnxruntime", "openvino", "nncf"]


def toolkit(package: Package) -> Any:  # noqa: ANN401 - modules without types
    """Import an optional package with its telemetry off.

    Raises:
        ConfigError: It is not installed, or does not load.

    References:
        onnxruntime's ``Privacy.md`` ("Disabling Telemetry"); ``openvino_telemetry`` on PyPI.
    """
    stay_private()
    try:
        module = import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"package {package} cannot be used ({one_line(error)}); install it with: pip install {package}, or all that "
            "exports take with: pip install 'weclick[export]'"
        ) from None
    if package == "nncf":
        # not its own set_log_level: that also sets handlers it shares with everybody else's loggers
        logging.getLogger("nncf").setLevel(logging.ERROR)
    return module


def missing(packages: Iterable[str]) -> list[str]:
    """Return which of the packages are not installed."""
    return [package for package in packages if find_spec(package) is None]


def stay_private() -> None:
    """Turn telemetry off for as long as this process lives; must come before the first import of these packages.

    ONNX Runtime reads its variable when it starts, and reports that start before its switch in Python can be reached.
    OpenVINO and NNCF report every import and call unless ``openvino_telemetry`` cannot be imported.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    # NNCF imports torch's compiler for extensions, which remarks on machines without CUDA
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
