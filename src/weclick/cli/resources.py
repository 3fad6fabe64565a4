"""Errors where memory ran out or a loader process was killed, as a line with what to do."""

from __future__ import annotations

import re
from typing import Final

_OF_TRAINING: Final = (
    "give a smaller --data.batch_size, --data.draws.crop or --data.size, or --trainer.precision bf16-mixed on a GPU"
)
_OF_DATA: Final = "give a smaller --data.batch_size, --data.size or --data.workers"
_SMALLER: Final = {
    **dict.fromkeys(("fit", "ablate", "budget"), _OF_TRAINING),
    **dict.fromkeys(("test", "validate", "memory"), _OF_DATA),
    "predict": "give an exported model of a smaller size as --ckpt_path (weclick export --size makes one)",
    "benchmark": "give a smaller --size (benchmark student) or --data.batch_size (benchmark train)",
    "export": "give a smaller --size",
    "annotate": "give --preview false",
}
"""What memory use of a command grows with most."""

_ELSE: Final = "end other programs, or take a machine with more memory"

_NO_MEMORY: Final = (
    "can't allocate memory",  # torch on the CPU
    "Cannot allocate memory",  # the system
    "out of memory",  # CUDA
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Insufficient memory",  # OpenCV
    "Failed to allocate memory",  # ONNX Runtime
    "bad_alloc",
)
"""Parts of the messages of errors that have no type of their own."""

_SHARED: Final = "give --data.workers 0, or a larger /dev/shm (docker run --shm-size=2g); weclick doctor shows its size"
_KILLED: Final = (
    "the loader process {} was killed, usually because memory ran out (see dmesg): give a smaller --data.workers, 0 needs the "
    "least memory, or a larger /dev/shm"
)


def resource_error(error: BaseException, command: str) -> str | None:
    """Return the message for an error by which a command lacked memory or lost a loader process; None for all others."""
    text = str(error)
    lines = text.splitlines() or [type(error).__name__]  # of a loader's process, the first are a traceback
    if "shared memory" in text:
        return f"not enough shared memory for the loader processes; {_SHARED}"
    if (killed := re.match(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)", text)) is not None:
        return _KILLED.format(killed[1])
    by_type = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if by_type or any(part in text for part in _NO_MEMORY):
        return f"not enough memory; {_SMALLER.get(command, _ELSE)} ({lines[-1].strip()[:200]})"
    return None
