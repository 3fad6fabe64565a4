"""Batches whose loss or gradients are not finite: counting them, keeping them, and leaving no trace of them in a training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from weclick.files import atomic_path

MOST_IN_A_ROW: Final = 3
"""So many batches may be skipped one after the other; a training that has diverged makes none that is finite."""

MOST_IN_ALL: Final = 10
"""So many batches of a training may be skipped, those before it was resumed included."""

KEY: Final = "weclick_skipped"
"""Where a checkpoint holds the counts."""

_NAMED: Final = 4
"""Frames that a warning names; the file holds all."""


class Skips:
    """Counts the batches that were skipped in a training."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self.in_all = 0

    @property
    def too_many(self) -> str:
        """What has gone beyond its bound, for a message; empty if nothing has."""
        if self.in_a_row > MOST_IN_A_ROW:
            return f"{MOST_IN_A_ROW} batches in a row"
        return f"{MOST_IN_ALL} batches" if self.in_all > MOST_IN_ALL else ""

    def add(self) -> None:
        """Count a batch."""
        self.in_a_row += 1
        self.in_all += 1

    def state(self) -> list[int]:
        """Return the counts, for a checkpoint."""
        return [self.in_a_row, self.in_all]

    def load(self, state: Sequence[int]) -> None:
        """Continue from the counts of a checkpoint."""
        self.in_a_row, self.in_all = state


def describe_infinite(terms: Mapping[str, Tensor]) -> str:
    """Return which terms of a loss are not finite, and the value of the first; empty if all are finite."""
    found = {name.removeprefix("loss_"): float(value) for name, value in terms.items() if not value.isfinite()}
    names = ", ".join(name for name in found if name != "loss")  # the sum is infinite if one of them is
    return f"{f'{names} ' if names else ''}loss became {next(iter(found.values()))}" if found else ""


def keep_batch(path: Path, batch: Mapping[str, Any], reason: str) -> None:
    """Write a batch to a file that ``torch.load`` opens, and name file and frames in a warning.

    Args:
        path: File to write; it holds ``reason``, ``frames`` and ``batch``, as the network got it, on the CPU.
        batch: With the names of its frames under ``frame``, if it states them.
        reason: What was not finite.
    """
    frames = list(batch.get("frame", ()))
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        torch.save({"reason": reason, "frames": frames, "batch": _plain(batch)}, stream)
    warnings.warn(f"{reason}; the batch is skipped and kept in {path} ({_names(frames, batch)})", stacklevel=4)


def _names(frames: list[str], batch: Mapping[str, Any]) -> str:
    """Return names of the frames whose images are not finite; of all where the images are."""
    damaged = [name for name, image in zip(frames, batch["image"], strict=False) if not image.isfinite().all()]
    named = damaged or frames
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{'its images are not finite: ' if damaged else ''}frames {', '.join(named[:_NAMED])}{more}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever supplies add to a batch
    """Return a value made of tensors on the CPU, mappings, lists and text only."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value)


class Buffers:
    """A copy of a module's buffers, such as the running statistics of BatchNorm, from before a batch.

    Args:
        module: Its buffers are changed in place only.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        buffers = list(module.buffers())
        kinds = {buffer.dtype for buffer in buffers}
        groups = [[buffer for buffer in buffers if buffer.dtype == kind] for kind in kinds]
        self._groups = [(group, [torch.empty_like(buffer) for buffer in group]) for group in groups]

    @torch.no_grad()
    def save(self) -> None:
        """Copy the buffers; few operations for all of them, as every step does it."""
        for buffers, copies in self._groups:
            torch._foreach_copy_(copies, buffers)

    @torch.no_grad()
    def restore(self) -> None:
        """Give the buffers what was saved."""
        for buffers, copies in self._groups:
            torch._foreach_copy_(buffers, copies)
